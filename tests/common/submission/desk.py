"""Tasks to test with: all their parts over one database and a cluster in memory, a clock that can be moved."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.clock import FakeClock
from common.database import Database
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message
from common.jobs.records import Job
from common.jobs.states import Kind
from common.settings import Settings, StorageSettings, SubmissionSettings
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from common.submission.catalogue import Catalogue
from common.submission.records import Task
from common.submission.runners.base import Runner
from common.submission.runners.fake import FakeCluster, FakeConfig, FakeRunner
from common.submission.spec import TaskSpec
from common.submission.states import TaskState
from common.submission.store import TaskStore
from common.submission.system import TaskSystem
from tests.jobs.kernel import Kernel

QUEUE = "submission-cpu"
SCRIPT = b"print('hello')\n"


class Desk:
    """One process that takes tasks, hands them over, and looks after them, one step at a time."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: FakeClock,
        *,
        cluster: FakeCluster | None = None,
        runner: type[FakeRunner] = FakeRunner,
        jobs: dict[str, Any] | None = None,
        more: list[Runner] | None = None,
        **submission: Any,
    ) -> None:
        self.clock = clock
        self.kernel = Kernel(database, folder, clock, **{"retry_base_s": 5.0, **(jobs or {})})
        self.cluster = cluster or FakeCluster(clock.now)
        self.runner = runner(self.cluster, FakeConfig(name="fake", kind="fake", forget_after_s=300))
        self.share = DirectoryShare(folder / "share")
        self.blobs = Blobs(self.share, folder / "cache")
        settings = Settings(
            storage=StorageSettings(state_dir=folder),
            jobs=self.kernel.settings,
            submission=SubmissionSettings(**submission),
        )
        clusters = Catalogue({}, [self.runner, *(more or [])])
        self.system = TaskSystem.build(
            settings,
            TaskStore(database, clock),
            self.kernel.service,
            self.kernel.store,
            self.blobs,
            clock,
            clusters=clusters,
        )
        self.store, self.service = self.system.store, self.system.service
        self.reconciler = self.system.reconciler
        self.kernel.runner._executors = {Kind.SUBMISSION: self.system.executor}

    def spec(self, **fields: Any) -> TaskSpec:
        return TaskSpec(**{"name": "wine", "cluster": "fake", "entry_point": "train.py", **fields})

    def submit(self, **fields: Any) -> Task:
        """Accept a task; nothing is handed over yet."""
        program = self.blobs.put(SCRIPT)
        return self.service.submit(self.spec(**fields), program, owner="key:me").task

    def get(self, task: Task) -> Task:
        return self.store.get(task.id)

    def state(self, task: Task) -> TaskState:
        return self.get(task).state

    def work(self, limit: int = 100) -> int:
        """Handle all messages that are due; how many there were."""
        for count in range(limit):
            got: list[Message] = self.kernel.queue.receive(QUEUE, 1, 60)
            if not got:
                return count
            if self.kernel.runner.handle(got[0]) is Disposition.DELETE:
                self.kernel.queue.delete(got[0])
        return limit

    def look(self) -> None:
        """One round of the reconciler over all clusters."""
        for cluster in self.store.live_clusters():
            self.reconciler.reconcile(cluster)
        self.reconciler.collect()

    def settle(self, rounds: int = 8, step_s: float = 700.0) -> None:
        """Work and look until there is nothing left to do."""
        for _ in range(rounds):
            self.work()
            self.look()
            self.clock.advance(step_s)
            self.kernel.scheduler._send_unqueued()

    def submitted(self, **fields: Any) -> Task:
        """A task that its cluster has."""
        task = self.submit(**fields)
        self.work()
        found = self.get(task)
        assert found.cluster_job_id is not None
        return found

    def running(self, **fields: Any) -> Task:
        task = self.submitted(**fields)
        self.cluster.start(task.name)
        self.look()
        return self.get(task)

    def finished(self, state: TaskState = TaskState.SUCCEEDED, **fields: Any) -> Task:
        """A task that has ended, its files being here."""
        task = self.running(**fields)
        self.cluster.finish(task.name, state)
        self.look()
        self.work()
        return self.get(task)

    def jobs_of(self, task: Task) -> list[Job]:
        """The kernel's jobs for a task, the oldest first."""
        rows = self.kernel.execute("SELECT id FROM jobs WHERE path LIKE :path ORDER BY id", path=f"/tasks/{task.id}/%")
        return [self.kernel.store.get(row.id) for row in rows]

    def files(self, task: Task, attempt: int | None = None) -> dict[str, bytes]:
        """What was brought back of an attempt."""
        folder = f"tasks/{task.id}/{attempt or task.attempt}"
        return {
            info.path.removeprefix(f"{folder}/"): b"".join(self.share.read(info.path))
            for info in self.share.find(folder)
        }


def counting(database: Database, table: str) -> int:
    """How many rows a table has."""
    return database.read(lambda c: c.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one())
