"""Trainings over HTTP, in this process: submitted by a client, run here and now."""

from typing import Any

import httpx
from fastapi import FastAPI

from common.jobs.queues.base import Message
from common.jobs.records import Job
from common.jobs.states import Kind
from common.jobs.system import JobSystem
from common.jobs.training import TrainingExecutor
from common.runtime import Runtime
from tests.support.clients import Client


class TrainingClient(Client):
    """A client whose trainings run when `run` is called."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app)
        self.runtime: Runtime = app.state.runtime
        records = {record.name: record for record in self.runtime.records}
        jobs, blobs = self.jobs, self.runtime.registry.blobs
        jobs.executors[Kind.TRAINING] = TrainingExecutor(records.get, jobs.database, blobs, jobs.clock, jobs.service)

    @property
    def jobs(self) -> JobSystem:
        return self.runtime.jobs

    def job(self, accepted: httpx.Response) -> Job:
        assert accepted.status_code == 202, accepted.text
        return self.jobs.store.get(accepted.headers["location"].rpartition("/")[2])

    def train(self, path: str, **body: Any) -> Job:
        """Ask for a training, run one attempt of it, and return what became of it."""
        return self.run(self.job(self.post(path, json=body)))

    def run(self, job: Job) -> Job:
        """Run one attempt of a job, and return what became of it."""
        self.jobs.runner.handle(Message("id", job.queue, job.id, "", 1))
        return self.jobs.store.get(job.id)
