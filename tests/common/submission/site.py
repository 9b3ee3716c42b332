"""An app whose tasks go to a cluster in memory; what its workers would do is done step by step."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import FastAPI

from common.jobs.queues.names import submission_queues
from common.storage import Blobs, open_share
from common.submission.catalogue import Catalogue
from common.submission.publishing import publisher
from common.submission.records import Task
from common.submission.runners.base import Runner
from common.submission.runners.fake import FakeCluster, FakeConfig, FakeRunner
from common.submission.states import TaskState
from common.submission.store import TaskStore
from common.submission.system import TaskSystem
from tests.support.clients import Client

SCRIPT = b"print('hello')\n"


class Site:
    """One process with one cluster, called `local`."""

    def __init__(self, app: FastAPI, runner: type[FakeRunner] = FakeRunner) -> None:
        self.app = app
        self.client = Client(app)
        self.cluster = FakeCluster()
        runtime = app.state.runtime
        jobs = runtime.jobs
        runners: list[Runner] = [runner(self.cluster, FakeConfig(name="local", kind="fake"))]
        self.system = TaskSystem.build(
            runtime.settings,
            TaskStore(jobs.database, jobs.clock),
            jobs.service,
            jobs.store,
            Blobs(open_share(runtime.settings.storage), runtime.settings.storage.cache_dir),
            jobs.clock,
            clusters=Catalogue({}, runners),
            publish=publisher(runtime, open_share(runtime.settings.storage)),
        )
        runtime._tasks = self.system

    def post(
        self,
        config: Mapping[str, Any] | bytes | None = None,
        program: bytes = SCRIPT,
        filename: str = "train.py",
        path: str = "/tasks",
        headers: Mapping[str, str] | None = None,
        inputs: Mapping[str, bytes] | None = None,
    ) -> httpx.Response:
        """A form as clients send it."""
        body = config if isinstance(config, bytes) else json.dumps(config or {}).encode()
        files = [("files", ("config.json", body, "application/json")), ("files", (filename, program))]
        files += [("inputs", (name, content)) for name, content in (inputs or {}).items()]
        return self.client.post(path, files=files, headers=dict(headers or {}))

    def accepted(self, config: Mapping[str, Any] | None = None, **more: Any) -> str:
        """The id of a task that was accepted."""
        response = self.post(config, **more)
        assert response.status_code == 202, response.text
        found: str = response.json()["id"]
        return found

    def get(self, task_id: str) -> dict[str, Any]:
        response = self.client.get(f"/tasks/{task_id}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def task(self, task_id: str) -> Task:
        return self.system.store.get(task_id)

    def work(self) -> None:
        """Handle what is queued."""
        jobs = self.app.state.runtime.jobs
        [queue] = submission_queues(jobs.settings)
        while got := jobs.queue.receive(queue, 1, 60):
            jobs.runner.handle(got[0])
            jobs.queue.delete(got[0])

    def look(self) -> None:
        for cluster in self.system.store.live_clusters():
            self.system.reconciler.reconcile(cluster)
        self.system.reconciler.collect()

    def run(
        self,
        task_id: str,
        state: TaskState = TaskState.SUCCEEDED,
        files: Mapping[str, bytes] | None = None,
        **seen: Any,
    ) -> None:
        """Have the cluster run a task to its end, and its files brought back."""
        self.start(task_id)
        self.cluster.finish(self.task(task_id).name, state, files, **seen)
        self.look()
        self.work()

    def start(self, task_id: str) -> None:
        self.work()
        self.cluster.start(self.task(task_id).name)
        self.look()
