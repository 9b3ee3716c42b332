"""A kernel that sends callbacks, for the tests of those."""

import random
from pathlib import Path
from typing import Any

from common.clock import FakeClock
from common.database import Database
from common.http.outbound import Outbound
from common.jobs.callbacks.sender import Callbacks
from common.jobs.records import Job
from common.jobs.runner import Runner
from common.jobs.scheduler import Scheduler
from common.jobs.service import JobService
from common.jobs.states import Kind
from common.settings import CallbackSettings
from tests.jobs.kernel import Kernel

HOOK = "https://hooks.example/x"


class Calling(Kernel):
    """As `Kernel`; `callback` are its settings, by default those that let it call this machine."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: FakeClock,
        callback: dict[str, Any] | None = None,
        outbound: Outbound | None = None,
        **settings: Any,
    ) -> None:
        given = {"allow": ("127.0.0.0/8", "localhost"), "timeout_s": 30.0, **(callback or {})}
        self.callback_settings = CallbackSettings(**given)
        self.outbound = outbound
        super().__init__(database, folder, clock, **settings)

    def wire(self) -> None:
        self.callbacks = self.another_sender()
        executors = {Kind.TRAINING: self.training}
        self.runner = Runner(
            self.store, self.queue, executors, self.settings, self.clock, random.Random(2), callbacks=self.callbacks
        )
        allow = self.callback_settings.allowance
        self.service = JobService(self.store, self.runner, self.settings, self.clock, allow=allow)
        self.scheduler = Scheduler(
            self.store, self.queue, self.runner, self.service, self.settings, self.clock, self.callbacks
        )

    def another_sender(self) -> Callbacks:
        """As another process has it."""
        return Callbacks(
            self.database, self.clock, self.callback_settings, outbound=self.outbound, rng=random.Random(3)
        )

    def ended(self, url: str = HOOK, **options: Any) -> Job:
        """A job that has succeeded, in a process that died before it could tell."""
        return self.finish(self.begin(self.accept(callback_url=url, **options)))

    def rows(self, job: Job) -> list[Any]:
        """What is owed, the oldest first."""
        query = "SELECT * FROM job_callbacks WHERE job_id = :job ORDER BY created_at, id"
        return self.execute(query, job=job.id)

    def shown(self, job: Job) -> dict[str, Any]:
        """As `GET /jobs/{job_id}` tells of the callback."""
        found = self.callbacks.of(self.get(job))
        assert found is not None
        return found.model_dump()
