"""What a process holds while it serves: settings, plugins, the pool; and the one start-up step."""

import threading
from dataclasses import dataclass, field

from common.plugins.discovery import discover
from common.plugins.record import PluginRecord
from common.serving.answers import Answers
from common.serving.cache import ByteCache
from common.serving.cpu import cpu_count
from common.serving.pool import WorkPool
from common.settings import Settings
from common.telemetry import metrics
from common.telemetry.logs import configure_logs, get_logger

log = get_logger("atoll")


@dataclass(eq=False)
class Runtime:
    """One a process. Built by `create_app`; `start` may be called by HTTP, queue and timer functions alike."""

    settings: Settings
    records: list[PluginRecord]
    pool: WorkPool
    answers: Answers
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: bool = False

    @classmethod
    def build(cls, settings: Settings) -> "Runtime":
        """Configure logs, import the plugins and make the pool; no data is read yet."""
        # First: what goes wrong in a plugin's import is logged, and logs show local variables unless told otherwise.
        configure_logs(settings.telemetry)
        serving = settings.serving
        threads = serving.threads or max(1, cpu_count() // settings.http.workers)
        pool = WorkPool(threads, serving.queue_length)
        answers = Answers(pool, ByteCache(serving.result_cache_bytes))
        return cls(settings, discover(settings.plugins), pool, answers)

    def start(self) -> None:
        """Begin to load the models, once a process, however often and from wherever it is called.

        The Functions adapter runs the lifespan once per concurrent first request, and never for queue triggers.
        Loading goes on behind it, so that liveness is answered at once; routes wait for their own model.
        """
        with self._lock:
            if self._started:
                return
            self._started = True
            metrics.STARTUPS.inc()
            # A daemon: a load that hangs must not keep the process from ending.
            threading.Thread(target=self._load_all, name="load-models", daemon=True).start()

    def _load_all(self) -> None:
        attempts = [record.begin_load() for record in self.records]
        for attempt in attempts:
            if attempt is not None:
                attempt.result()
        log.info("models", **{record.name: record.state for record in self.records})

    def retry_failed(self) -> None:
        """Try again, in the background, to load models that could not be loaded a while ago."""
        for record in self.records:
            if record.may_retry():
                record.begin_load()
