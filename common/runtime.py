"""What a process holds while it serves: settings, plugins, the pool; and the one start-up step."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from common.errors import Unauthorized, WrongSchema
from common.plugins.discovery import discover
from common.plugins.record import PluginRecord
from common.redis import RedisLink
from common.registry.drift.sampler import Items, Sampler
from common.registry.follower import Follower, Following, OwnRegistry
from common.security.keys import Keys
from common.security.keys.held import told_under_functions
from common.security.keys.verifier import ADMIN_ID
from common.security.tokens.verifier import TokenVerifier
from common.serving.answers import Answers
from common.serving.cache import ByteCache
from common.serving.cpu import cpu_count
from common.serving.item_servers import ItemServers
from common.serving.pool import WorkPool
from common.serving.redis_cache import RedisCache
from common.serving.second_level import SecondLevel
from common.settings import Settings
from common.submission.start import check_clusters
from common.telemetry import metrics
from common.telemetry.logs import configure_logs, get_logger

if TYPE_CHECKING:
    from common.jobs.records import Job
    from common.jobs.system import JobSystem
    from common.registry.service import Registry
    from common.security.verifier import Verifier
    from common.submission.system import TaskSystem
    from common.submission.training.follow import ClusterTrainings

log = get_logger("atoll")

# Jobs wait for the models of their own process; those of this one have the CPUs first, so that it is ready soon.
_LOAD_FIRST_S = 15.0


@dataclass(eq=False)
class Runtime:
    """One a process. Built by `create_app`; `start` may be called by HTTP, queue and timer functions alike."""

    settings: Settings
    records: list[PluginRecord]
    pool: WorkPool
    answers: Answers
    items: ItemServers
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: bool = False
    _loaded: threading.Event = field(default_factory=threading.Event)
    _jobs_lock: threading.Lock = field(default_factory=threading.Lock)
    _jobs: "JobSystem | None" = None
    _registry: "Registry | None" = None
    # Why the database cannot be used by this release.
    refusal: str | None = None
    _tasks: "TaskSystem | None" = None
    _tasks_lock: threading.Lock = field(default_factory=threading.Lock)
    _app: ASGIApp | None = None
    keys: Keys = field(init=False)
    _verifiers: "tuple[Verifier, ...] | None" = None
    _following: Following = field(init=False)
    sampler: Sampler = field(init=False)

    def __post_init__(self) -> None:
        registry = OwnRegistry(self.settings, lambda: self._registry)
        self._following = self._follow(registry)
        items = {
            record.name: Items(row, self._numbers(record)) for record in self.records if (row := record.plugin.row)
        }
        self.sampler = Sampler(registry, is_on=self.settings.registry.sampling, items=items)
        # In the job system's database, which is not opened before a key is shown.
        self.keys = Keys(self.settings, lambda: self.jobs.database)

    @classmethod
    def build(cls, settings: Settings) -> "Runtime":
        """Configure logs, import the plugins and make the pool; no data is read yet."""
        # First: what goes wrong in a plugin's import is logged, and logs show local variables unless told otherwise.
        configure_logs(settings.telemetry)
        if settings.telemetry.backends:
            # Brings OpenTelemetry's SDK.
            from common.telemetry.export import start

            start(settings.telemetry)
        check_clusters(settings)
        serving = settings.serving
        threads = serving.threads or max(1, cpu_count() // settings.http.workers)
        pool = WorkPool(threads, serving.queue_length)
        cache = ByteCache(serving.result_cache_bytes)
        records = discover(settings.plugins)
        items = ItemServers(records, cache, _second_level(settings), threads)
        return cls(settings, records, pool, Answers(pool, cache), items)

    def attach(self, app: ASGIApp) -> None:
        """Name the app that queued predictions are put to."""
        self._app = app

    @property
    def jobs(self) -> "JobSystem":
        """The job system, built and its database brought up to date at the first call (a second, on any thread)."""
        with self._jobs_lock:
            if self._jobs is None:
                # Brings SQLAlchemy, which a process that never sees a job does without.
                from common.jobs.states import Kind
                from common.jobs.system import JobSystem
                from common.jobs.training import TrainingExecutor, oldest_training
                from common.registry.drift.chore import SampleChore
                from common.registry.garbage import Garbage
                from common.registry.service import Registry
                from common.storage import Blobs, open_share
                from common.submission.following import Following as TaskFollowing
                from common.submission.tables import files as task_files
                from common.submission.training.abandoned import Abandoned

                assert self._app is not None  # noqa: S101 - create_app attaches it before anything is served
                jobs = JobSystem.build(self.settings, self._app, refuses=self._refuses)
                try:
                    jobs.migrate()
                except WrongSchema as exc:
                    self.refusal = exc.detail
                    jobs.database.close()
                    raise
                self.refusal = None
                blobs = Blobs(open_share(self.settings.storage), self.settings.storage.cache_dir)
                records = {record.name: record for record in self.records}
                jobs.executors[Kind.TRAINING] = TrainingExecutor(
                    records.get, jobs.database, blobs, jobs.clock, jobs.service, self._cluster_trainings
                )
                self._registry = Registry(jobs.database, blobs, clock=jobs.clock)
                self._expire_files(jobs)
                garbage = Garbage(
                    jobs.database,
                    blobs,
                    self.settings.registry,
                    clock=jobs.clock,
                    busy_since=partial(oldest_training, jobs.database),
                    also_referred=[task_files.c.sha256],
                )
                jobs.scheduler.chores["registry"] = garbage.begin
                # Rows that were kept before it was switched off go too, by and by.
                registry = self._registry
                jobs.scheduler.chores["samples"] = SampleChore(
                    lambda: registry, self.settings.registry, jobs.clock
                ).begin
                # Tasks are looked after from the first one on; before it, nothing of theirs is imported.
                following = TaskFollowing(jobs.database, jobs.clock, lambda: self.tasks)
                jobs.executors[Kind.SUBMISSION] = following
                jobs.scheduler.rounds["tasks"] = following.tick
                jobs.scheduler.chores["tasks"] = following.remove_old
                jobs.scheduler.rounds["trainings on clusters"] = Abandoned(
                    jobs.database, lambda: self.tasks.service
                ).cancel
                self._jobs = jobs
            return self._jobs

    @property
    def tasks(self) -> "TaskSystem":
        """Tasks and the clusters that they are submitted to; made at the first call, which blocks as that of `jobs`."""
        jobs = self.jobs
        with self._tasks_lock:
            if self._tasks is None:
                from common.storage import Blobs, open_share
                from common.submission.publishing import publisher
                from common.submission.store import TaskStore
                from common.submission.system import TaskSystem

                blobs = Blobs(open_share(self.settings.storage), self.settings.storage.cache_dir)
                store = TaskStore(jobs.database, jobs.clock)
                publish = publisher(self, blobs.share)
                self._tasks = TaskSystem.build(
                    self.settings, store, jobs.service, jobs.store, blobs, jobs.clock, publish=publish
                )
            return self._tasks

    def _cluster_trainings(self) -> "ClusterTrainings":
        from common.submission.training.follow import ClusterTrainings

        tasks = self.tasks
        return ClusterTrainings(tasks.service, tasks.clusters, self.jobs.store, tasks.blobs, self.settings)

    def _expire_files(self, jobs: "JobSystem") -> None:
        """Have the scheduler remove the files that jobs of the models leave on the share."""
        from common.storage import open_share

        share, age_s = open_share(self.settings.storage), self.settings.jobs.result_days * 86400

        def expire(folders: Sequence[str]) -> int:
            return sum(share.expire(folder, age_s) for folder in folders)

        # Inputs of tasks that came in parts; a task keeps what it was given.
        jobs.scheduler.chores["inputs of tasks"] = partial(expire, ["task-uploads"])
        for record in self.records:
            if record.plugin.leaves:
                jobs.scheduler.chores[f"files of {record.name}"[:64]] = partial(expire, record.plugin.leaves)

    @property
    def registry(self) -> "Registry":
        """Model versions and aliases, in the job system's database; blocks as `jobs` does at the first call."""
        assert self.jobs is not None and self._registry is not None  # noqa: S101, PT018 - made together
        return self._registry

    @property
    def opened_registry(self) -> "Registry | None":
        """The registry, if it was opened before: asked on an event loop, which must not wait for a database."""
        return self._registry

    @property
    def verifiers(self) -> "tuple[Verifier, ...]":
        """Those that credentials are shown to; made at the first one, and without a look at the database."""
        if self._verifiers is None:
            self._verifiers = (self.keys.verifier, TokenVerifier(self.settings.oidc))
        return self._verifiers

    def _refuses(self, job: "Job") -> str | None:
        """Why a queued job must not run any more: the key that it was asked for with is good no longer."""
        kind, _, key_id = job.owner.partition(":")
        if kind != "key" or job.owner == ADMIN_ID:
            return None
        try:
            self.keys.service.principal(key_id)
        except Unauthorized as exc:
            return f"it was asked for with a key that is good no longer: {exc.detail}"
        return None

    def start(self, *, background: bool = False) -> None:
        """Begin to load the models, once a process, however often and from wherever it is called.

        With `background` the roles `queues` and `timers` run on threads of this process; under Functions the host
        calls them.

        The Functions adapter runs the lifespan once per concurrent first request, and never for queue triggers.
        Loading goes on behind it, so that liveness is answered at once; routes wait for their own model.
        """
        with self._lock:
            if self._started:
                return
            self._started = True
            metrics.STARTUPS.inc()
            told = told_under_functions(self.settings)
            if told is not None:
                log.info(told)
            # A daemon: a load that hangs must not keep the process from ending.
            threading.Thread(target=self._load_all, name="load-models", daemon=True).start()
            self._following.start()
            self.sampler.start()
            # A database that is shared may be that of another release, which must not be found out by a caller.
            if background and (self.settings.roles & {"queues", "timers"} or self.settings.has_database_server):
                threading.Thread(target=self._start_jobs, name="start-jobs", daemon=True).start()

    def _numbers(self, record: PluginRecord) -> "Callable[[], int | None]":
        """Which version of a plugin's model answers now."""
        follower = next((one for one in self._following.followers if one.model == record.name), None)
        return lambda: None if follower is None else follower.number

    def _follow(self, registry: OwnRegistry) -> Following:
        """Who serves versions of the registry is given the first one before it loads."""
        followers = []
        for record in self.records:
            if record.plugin.serve_version is not None:
                cache = self.settings.storage.cache_dir / "models" / record.name
                follower = Follower(record.name, record.plugin.serve_version, registry, cache)
                record.before_load = follower.begin
                followers.append(follower)
        return Following(followers)

    def stop(self) -> None:
        """Let running jobs end for a while, and put the rest back. Nothing depends on it being called."""
        self.sampler.stop()
        with self._jobs_lock:
            jobs = self._jobs
        if jobs is None:
            return
        try:
            jobs.stop()
            if self._tasks is not None:
                self._tasks.close()
        except Exception as exc:  # the scheduler of another process finds what was left
            log.error("jobs cannot be stopped", exc_info=exc)

    def _start_jobs(self) -> None:
        try:
            if self.settings.has_database_server:
                # May find that this process must not become ready.
                _ = self.jobs
            self._loaded.wait(_LOAD_FIRST_S)
            if "queues" in self.settings.roles:
                self.jobs.isolate()
            self.jobs.start_background(self.settings.roles)
        except WrongSchema as exc:
            log.error("jobs cannot be run, and this process is not ready", reason=exc.detail)
        except Exception as exc:  # the database is away: requests for jobs say so, predictions go on
            log.error("jobs cannot be run", exc_info=exc)

    def wait_until_loaded(self, timeout_s: float) -> None:
        """Return when every model is ready or could not be loaded, or after `timeout_s`."""
        self._loaded.wait(timeout_s)

    def _load_all(self) -> None:
        attempts = [record.begin_load() for record in self.records]
        for attempt in attempts:
            if attempt is not None:
                attempt.result()
        self._loaded.set()
        log.info("models", **{record.name: record.state for record in self.records})

    def retry_failed(self) -> None:
        """Try again, in the background, to load models that could not be loaded a while ago."""
        for record in self.records:
            if record.may_retry():
                record.begin_load()


def _second_level(settings: Settings) -> SecondLevel | None:
    url = settings.redis.url
    return None if url is None else RedisCache(lambda: RedisLink(url.get_secret_value(), "cache"))
