"""A plugin found in this process, and the state of its model."""

import asyncio
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from fastapi import APIRouter

from common.errors import AtollError, ModelUnavailable
from common.plugins.contract import Dataset, Plugin
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.plugins")

State = Literal["loading", "ready", "unavailable"]

# A failed load (no data yet, a share that is down) is tried again when somebody asks, but not more often than this.
RETRY_LOAD_S = 10.0
# What a request waits for a model that is loading before it is told to come back.
WAIT_FOR_LOAD_S = 30.0
# A reason is shown to everybody: short, and without a password in an address.
_REASON_CHARS = 500
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


@dataclass(eq=False)
class PluginRecord:
    """`router` is None where the import failed. `reason` says why a model is unavailable."""

    name: str
    router: APIRouter | None = None
    plugin: Plugin = field(default_factory=Plugin)
    module: str = ""
    state: State = "loading"
    reason: str | None = None
    import_cpu_s: float = 0.0
    load_s: float | None = None
    # Runs before each attempt to load; what it raises is the reason for which the model is unavailable.
    before_load: Callable[[], None] | None = None
    _failed_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _attempt: "Future[None] | None" = None

    def __post_init__(self) -> None:
        # From the start, so that an alert can tell a model that never became ready.
        metrics.MODEL_READY.labels(self.name).set(0)
        if self.router is not None and self.plugin.load is None:
            self._become_ready(None)

    @classmethod
    def unavailable(cls, name: str, reason: str) -> "PluginRecord":
        return cls(name, state="unavailable", reason=reason)

    @property
    def title(self) -> str:
        """The plugin's title, else its router's first tag, else its name."""
        tags = self.router.tags if self.router else []
        return self.plugin.title or (str(tags[0]) if tags else self.name)

    @property
    def description(self) -> str | None:
        """The plugin's own, else the first sentence of its package's docstring."""
        said = self.plugin.description or getattr(sys.modules.get(self.module), "__doc__", None)
        return first_sentence(said) if said else None

    @property
    def prefix(self) -> str:
        """What stands before the router's own paths: nothing, or the plugin's name if the router has no prefix."""
        return "" if self.router is None or self.router.prefix else f"/{self.name}"

    def datasets(self) -> Sequence[Dataset]:
        """The data sets that the model answers from; none before it is ready."""
        if self.plugin.datasets is None or not self.is_ready():
            return ()
        try:
            return self.plugin.datasets()
        except Exception as exc:  # a plugin's mistake must not take the list of the others away
            log.error("plugin cannot name its data sets", model=self.name, exc_info=exc)
            return ()

    def is_ready(self) -> bool:
        return self.state == "ready"

    def begin_load(self) -> "Future[None] | None":
        """Load on a daemon thread, so that a load which hangs keeps neither other models nor the process's end waiting.

        Returns the attempt under way. None: there is nothing to wait for, because the model is ready, or because it
        failed a moment ago.
        """
        with self._lock:
            if self._attempt is not None:
                return self._attempt
            if self.is_ready() or self.plugin.load is None or (self.state == "unavailable" and not self.may_retry()):
                return None
            self.state = "loading"
            attempt = self._attempt = Future()
        threading.Thread(
            target=self._load, args=(self.plugin.load, attempt), name=f"load-{self.name}", daemon=True
        ).start()
        return attempt

    def load(self) -> None:
        """Load, and wait for the outcome; never raises."""
        attempt = self.begin_load()
        if attempt is not None:
            attempt.result()

    def _load(self, load: Callable[[], None], attempt: "Future[None]") -> None:
        started = time.monotonic()
        try:
            if self.before_load is not None:
                self.before_load()
            load()
        except (Exception, SystemExit) as exc:
            said = exc.detail if isinstance(exc, AtollError) else f"{type(exc).__name__}: {exc}"
            self.reason = _CREDENTIALS.sub("://***@", said)[:_REASON_CHARS]
            self.state, self._failed_at = "unavailable", time.monotonic()
            log.error("model cannot be loaded", model=self.name, reason=self.reason, exc_info=exc)
        else:
            self._become_ready(time.monotonic() - started)
            log.info("model ready", model=self.name, load_s=round(self.load_s or 0, 3))
            for dataset in self.datasets():
                log.info(
                    "data set", model=self.name, name=dataset.name, folder=str(dataset.folder), origin=dataset.origin
                )
        finally:
            with self._lock:
                self._attempt = None
            attempt.set_result(None)

    def may_retry(self) -> bool:
        """Whether the last load failed, and long enough ago to try again."""
        failed = self.state == "unavailable" and self.plugin.load is not None
        return failed and time.monotonic() - self._failed_at >= RETRY_LOAD_S

    def _become_ready(self, load_s: float | None) -> None:
        self.state, self.reason, self.load_s = "ready", None, load_s
        metrics.MODEL_READY.labels(self.name).set(1)

    async def require_ready(self) -> None:
        """Wait until the model is ready; the dependency of every route of a plugin that declares `load`.

        Raises
        ------
        ModelUnavailable
            It could not be loaded, or is still loading after `WAIT_FOR_LOAD_S`.
        """
        if self.is_ready():
            return
        attempt = self.begin_load()
        if attempt is not None:
            try:
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(attempt)), WAIT_FOR_LOAD_S)
            except TimeoutError:
                raise ModelUnavailable(f"{self.name} is still loading; try again", retry_after_s=5) from None
        if not self.is_ready():
            raise ModelUnavailable(f"{self.name} is unavailable: {self.reason}", retry_after_s=RETRY_LOAD_S)


def first_sentence(text: str) -> str | None:
    """The first sentence of a docstring, in one line; None where it has none.

    >>> first_sentence("Fills gaps: two levels. Slowly.\\n\\nLevel 1 is simple.")
    'Fills gaps: two levels.'
    """
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph, maxsplit=1)[0] or None
