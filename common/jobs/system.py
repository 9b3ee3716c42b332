"""Puts the kernel together from the settings, and runs its background threads for hosts that have none."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from starlette.types import ASGIApp

from common.clock import Clock, SystemClock
from common.database import Database
from common.errors import SettingsError
from common.jobs.blobs import Blobs, ShareBlobs
from common.jobs.callbacks.sender import Callbacks
from common.jobs.child import serving_runner
from common.jobs.context import Executor
from common.jobs.handling import ByQueue, Handler
from common.jobs.prediction import PredictionExecutor
from common.jobs.process_runner import ProcessRunner
from common.jobs.queues.base import Queue
from common.jobs.queues.names import queue_names, submission_queues
from common.jobs.queues.table import TableQueue
from common.jobs.records import Job
from common.jobs.runner import Runner
from common.jobs.scheduler import Scheduler
from common.jobs.service import JobService
from common.jobs.states import Kind
from common.jobs.store import JobStore
from common.jobs.worker import Worker
from common.security.audit.trail import Trail, prune_older
from common.settings import Settings
from common.storage import open_share
from common.storage.leftovers import Leftovers
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

_RESTART_S = 2.0
_PREPARE_AFTER_S = 5.0


@dataclass(eq=False)
class JobSystem:
    """One a process. `build` opens nothing but the database; `migrate` must have run before the first job.

    Attributes
    ----------
    executors : who runs the jobs of a kind; add to it before anything is started.
    runner : runs jobs on threads of this process.
    """

    settings: Settings
    clock: Clock
    database: Database
    store: JobStore
    queue: Queue
    executors: dict[Kind, Executor]
    runner: Runner
    service: JobService
    scheduler: Scheduler
    callbacks: Callbacks
    _isolated: ProcessRunner | None = None
    _workers: list[Worker] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def build(
        cls,
        settings: Settings,
        app: ASGIApp,
        clock: Clock | None = None,
        *,
        database: Database | None = None,
        queue: Queue | None = None,
        blobs: Blobs | None = None,
        refuses: Callable[[Job], str | None] = lambda job: None,
    ) -> "JobSystem":
        """The kernel as configured; the keyword arguments take the place of what the settings would choose.

        Parameters
        ----------
        refuses : why a job must not run any more, asked before it does; None for most.
        """
        clock = clock or SystemClock()
        database = database or Database.build(settings)
        store = JobStore(database, clock, blobs or ShareBlobs(open_share(settings.storage)), settings.jobs)
        queue = queue or build_queue(settings, database, clock)
        executors: dict[Kind, Executor] = {Kind.PREDICTION: PredictionExecutor(app)}
        callbacks = Callbacks(database, clock, settings.callbacks)
        runner = Runner(store, queue, executors, settings.jobs, clock, callbacks=callbacks, refuses=refuses)
        allow = settings.callbacks.allowance
        service = JobService(store, runner, settings.jobs, clock, settings.plugins.service_model, allow)
        leftovers = Leftovers(partial(open_share, settings.storage), store, clock)
        scheduler = Scheduler(store, queue, runner, service, settings.jobs, clock, callbacks, leftovers)
        trail, days = Trail(database), settings.security.audit_days
        scheduler.chores["audit log"] = lambda: prune_older(trail, days, clock.now())
        return cls(settings, clock, database, store, queue, executors, runner, service, scheduler, callbacks)

    def migrate(self) -> None:
        """Bring the database up to date; safe in any number of processes at once."""
        self.database.migrate()

    def queue_names(self) -> list[str]:
        """The queues whose jobs this process can run."""
        return queue_names(self.settings)

    @property
    def handler(self) -> Handler:
        """Who runs the jobs that this process takes."""
        if self._isolated is None:
            return self.runner
        return ByQueue(self._isolated, self.runner, submission_queues(self.settings))

    def isolate(self) -> None:
        """Run jobs in processes of their own from now on, unless `JOB_ISOLATION` says otherwise."""
        if self.settings.jobs.isolation == "process" and self._isolated is None:
            self._isolated = ProcessRunner(self.runner, self.store, self.settings, self.clock, serving_runner)
            self.service.handler = self.handler
            threading.Thread(target=self._prepare, args=(self._isolated,), name="job-process", daemon=True).start()

    def worker(self, names: Sequence[str] | None = None, concurrency: int | None = None) -> Worker:
        """A worker for the queues named, by default for all that this process can run but those of submissions."""
        jobs = self.settings.jobs
        apart = submission_queues(self.settings)
        names = names or [name for name in self.queue_names() if name not in apart]
        return Worker(self.queue, self.handler, names, jobs, self.clock, concurrency or jobs.concurrency)

    def submission_worker(self) -> Worker:
        """A worker that hands tasks to clusters, so that trainings never keep them waiting."""
        names = submission_queues(self.settings)
        concurrency = self.settings.submission.concurrency
        return Worker(self.queue, self.runner, names, self.settings.jobs, self.clock, concurrency)

    def start_background(self, roles: Iterable[str]) -> None:
        """Start a worker for the role `queues` and the scheduler for `timers`, on threads that end with the process."""
        self.migrate()
        roles = frozenset(roles)
        if "queues" in roles:
            self._keep_running("worker", partial(self._work, self.worker))
            if submission_queues(self.settings):
                self._keep_running("submission-worker", partial(self._work, self.submission_worker))
        if "timers" in roles:
            self._keep_running("scheduler", self.scheduler.run)

    def stop(self, drain_s: float | None = None) -> None:
        """Take nothing more, wait `drain_s` (by default the setting) for running jobs, put the rest back."""
        self._stopping.set()
        self.scheduler.stop()
        for worker in self._workers:
            worker.stop(drain_s)
        for thread in self._threads:
            # The worker itself ends a few seconds after its time to drain.
            thread.join((self.settings.jobs.drain_s if drain_s is None else drain_s) + 10)
        if self._isolated is not None:
            self._isolated.close()
        self.callbacks.stop()
        self.queue.close()
        self.database.close()

    def _prepare(self, isolated: ProcessRunner) -> None:
        # Not while everything else starts: it keeps a core busy for a second. A job that comes sooner makes its own.
        if not self._stopping.wait(_PREPARE_AFTER_S):
            isolated.prepare()

    def _work(self, make: Callable[[], Worker]) -> None:
        worker = make()
        self._workers.append(worker)
        if not self._stopping.is_set():
            worker.run()
        self._workers.remove(worker)

    def _keep_running(self, name: str, run: Callable[[], object]) -> None:
        def keep() -> None:
            while not self._stopping.is_set():
                try:
                    run()
                except Exception as exc:
                    log.error("background thread ended; starting it anew", thread=name, exc_info=exc)
                    self._stopping.wait(_RESTART_S)

        # A daemon: a job that hangs must not keep the process from ending.
        thread = threading.Thread(target=keep, name=name, daemon=True)
        thread.start()
        # After it was started: `stop` may be called meanwhile, and joins what it finds here.
        self._threads.append(thread)


def build_queue(settings: Settings, database: Database, clock: Clock) -> Queue:
    """Azure's queues where a storage account is configured, else tables of the database."""
    jobs = settings.jobs
    if not jobs.has_storage_account:
        return TableQueue(database, clock)
    from common.jobs.queues.azure import AzureQueue

    if jobs.storage is not None:
        return AzureQueue.from_connection_string(jobs.storage.get_secret_value())
    if jobs.storage_queue_uri is None:
        raise SettingsError("AzureWebJobsStorage is not set")
    return AzureQueue.from_uri(jobs.storage_queue_uri)
