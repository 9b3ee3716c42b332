"""A kernel to test with: its parts, a clock that can be moved, executors that do as they are told."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.clock import FakeClock, new_id
from common.database import Database
from common.jobs.blobs import ShareBlobs
from common.jobs.context import JobContext
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message, Queue
from common.jobs.queues.table import TableQueue
from common.jobs.records import Draft, Job, Outcome, Result
from common.jobs.runner import Runner
from common.jobs.scheduler import Scheduler
from common.jobs.service import JobService
from common.jobs.states import Event, Kind, State
from common.jobs.store import JobStore
from common.jobs.worker import Worker
from common.settings import JobSettings
from common.storage.directory import DirectoryShare
from common.storage.leftovers import Leftovers

QUEUE = "training-cpu"
# What a waiting test gives a slow machine; none waits for so long.
PATIENCE_S = 60.0


class Scripted:
    """An executor that runs a function, by default one that answers `done`."""

    def __init__(self, work: Callable[[Job, JobContext], Result] | None = None) -> None:
        self.work = work or (lambda job, context: Result(body=b'"done"'))
        self.runs = 0

    def run(self, job: Job, context: JobContext) -> Result:
        self.runs += 1
        return self.work(job, context)


class Kernel:
    """All parts over one database. `training` runs the jobs that `submit` makes."""

    def __init__(
        self, database: Database, folder: Path, clock: FakeClock, queue: Queue | None = None, **settings: Any
    ) -> None:
        self.database = database
        self.clock = clock
        self.settings = JobSettings(**{"heartbeat_s": 0.05, "cancel_grace_s": 30, "drain_s": 0, **settings})
        self.share = folder / "share"
        self.store: Any = JobStore(
            database, clock, ShareBlobs(DirectoryShare(self.share)), self.settings, random.Random(1)
        )
        self.queue: Any = queue or TableQueue(database, clock)
        self.training = Scripted()
        self.wire()

    def wire(self) -> None:
        """Join the parts, again after one was replaced."""
        executors = {Kind.TRAINING: self.training}
        self.runner = Runner(self.store, self.queue, executors, self.settings, self.clock, random.Random(2))
        self.service = JobService(self.store, self.runner, self.settings, self.clock)
        self.scheduler = self.another_scheduler()

    def another_scheduler(self) -> Scheduler:
        self.leftovers = Leftovers(lambda: DirectoryShare(self.share), self.store, self.clock)
        return Scheduler(
            self.store,
            self.queue,
            self.runner,
            self.service,
            self.settings,
            self.clock,
            leftovers=self.leftovers,
        )

    def worker(self, concurrency: int = 1) -> Worker:
        return Worker(self.queue, self.runner, [QUEUE], self.settings, self.clock, concurrency)

    def submit(self, body: bytes = b"{}", **options: Any) -> Job:
        return self.service.submit(Kind.TRAINING, "/model/train", body, **options).job

    def accept(self, **options: Any) -> Job:
        """A record without a message."""
        draft = Draft(**{"id": new_id(self.clock), "kind": Kind.TRAINING, "queue": QUEUE, "path": "/m", **options})
        job: Job = self.store.accept(draft).job
        return job

    def begin(self, job: Job | None = None, worker: str = "worker-1") -> Job:
        """Start an attempt of a job, by default of a new one."""
        begun = self.store.begin_attempt((job or self.accept()).id, worker)
        assert isinstance(begun, Job), begun
        return begun

    def finish(self, begun: Job, event: Event = Event.SUCCEED, **options: Any) -> Job:
        if event is Event.SUCCEED:
            options.setdefault("result", Result(body=b"1"))
        within = options.pop("within", None)
        ended: Job = self.store.finish(begun.id, begun.epoch, Outcome(event, **options), within)
        return ended

    def handle_next(self) -> Disposition | None:
        """Let the runner handle the next message, as a worker would."""
        got: list[Message] = self.queue.receive(QUEUE, 1, 60)
        if not got:
            return None
        disposition = self.runner.handle(got[0])
        if disposition is Disposition.DELETE:
            self.queue.delete(got[0])
        return disposition

    def run(self, job: Job) -> Job:
        """Handle the message of a job and return what became of the job."""
        self.runner.handle(Message("id", QUEUE, job.id, "", 1))
        return self.get(job)

    def get(self, job: Job) -> Job:
        found: Job = self.store.get(job.id)
        return found

    def state(self, job: Job) -> State:
        return self.get(job).state

    def execute(self, sql: str, **values: Any) -> list[Any]:
        with self.database.transaction() as connection:
            done = connection.execute(sa.text(sql), values)
            return list(done.all()) if done.returns_rows else []

    @contextlib.contextmanager
    def working(self, concurrency: int = 1) -> Iterator[Worker]:
        """A worker that runs on a thread for as long as the block lasts."""
        worker = self.worker(concurrency)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def wait_until(condition: Callable[[], object], what: str = "it") -> None:
    """Return once `condition()` holds. Fails only where it never does: no test's outcome is a matter of speed."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.005)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
