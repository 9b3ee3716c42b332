"""Model versions that are open in this process: opened at their first use, and closed when others need the memory.

The pool counts bytes, not models. What it counts is what a load says it takes, until the model is really gone: a model
that was put out goes on answering the requests that hold it, and its bytes stay counted until the last of them has
ended. Where nothing can be put out, a load is refused (503), and the process lives.
"""

import asyncio
import itertools
import threading
import time
import weakref
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from common.errors import AtollError, Busy, ModelUnavailable, Unavailable
from common.serving.memory import give_back
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.pool")

# A version that cannot be loaded is not tried again for so long: each try takes a thread.
RETRY_S = 5.0
# How long those that hold the memory may be expected to take.
_FULL_RETRY_S = 1.0
_MOST_WAITING = 256
_REASON_CHARS = 500


class Pooled(Protocol):
    """A model that is open. It has to allow weak references."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered: putting it out now would free nothing."""
        ...


Model = TypeVar("Model", bound=Pooled)
Loaded = TypeVar("Loaded", covariant=True)


class Loader(Protocol[Loaded]):
    """How a version is loaded. Both methods run on a thread, and may raise anything."""

    def size_bytes(self) -> int:
        """Memory that the version will take."""
        ...

    def load(self) -> Loaded: ...


@dataclass(slots=True, eq=False)
class _Entry(Generic[Model]):
    model: Model
    size_bytes: int
    used: int


@dataclass(frozen=True, slots=True)
class _Failure:
    error: AtollError
    at_s: float


@dataclass(eq=False)
class ModelPool(Generic[Model]):
    """One a process; threads and event loops may share it.

    Parameters
    ----------
    budget_bytes : most that all open models may take together.
    threads : loads that run at once; few, since those who are answered need the CPUs.
    """

    budget_bytes: int
    threads: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _entries: dict[Hashable, _Entry[Model]] = field(default_factory=dict)
    _loading: dict[Hashable, "Future[Model]"] = field(default_factory=dict)
    _failures: dict[Hashable, _Failure] = field(default_factory=dict)
    _pinned: set[Hashable] = field(default_factory=set)
    _clock: "itertools.count[int]" = field(default_factory=itertools.count)
    _taken_bytes: int = 0

    def __post_init__(self) -> None:
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="load-version")

    def peek(self, key: Hashable) -> Model | None:
        """The model, if it is open. For event loops: it never waits."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.used = next(self._clock)
        return entry.model

    async def get(self, key: Hashable, loader: Loader[Model]) -> Model:
        """The model, opened if need be; who asks for it meanwhile waits for the same load.

        Raises
        ------
        ModelUnavailable
            It cannot be loaded; the detail is the reason.
        Unavailable
            The memory is taken by models that are answering now.
        Busy
            Too many versions wait to be loaded.
        """
        found = self.peek(key)
        if found is not None:
            return found
        return await asyncio.wrap_future(self.begin(key, loader))

    def begin(self, key: Hashable, loader: Loader[Model]) -> "Future[Model]":
        """Have the model opened on a thread; raises and fails as `get`. It goes on though nobody waits."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                done: Future[Model] = Future()
                done.set_result(entry.model)
                return done
            # A copy for each: a caller that is cancelled cancels its own alone.
            known = self._loading.get(key)
            if known is not None:
                return _following(known)
            failure = self._failures.get(key)
            if failure is not None and time.monotonic() - failure.at_s < RETRY_S:
                raise _again(failure.error)
            if len(self._loading) >= _MOST_WAITING:
                raise Busy(f"{len(self._loading)} models wait to be loaded; try again", retry_after_s=_FULL_RETRY_S)
            future: Future[Model] = Future()
            self._loading[key] = future
        self._executor.submit(self._run, key, loader, future)
        return _following(future)

    def pin(self, key: Hashable) -> None:
        """Never put this one out."""
        with self._lock:
            self._pinned.add(key)

    def unpin(self, key: Hashable) -> None:
        with self._lock:
            self._pinned.discard(key)

    def forget(self, key: Hashable) -> None:
        """Let a model go that nobody will ask for again; requests that hold it are answered."""
        with self._lock:
            self._pinned.discard(key)
            self._failures.pop(key, None)
            self._entries.pop(key, None)
            self._tell()

    @property
    def taken_bytes(self) -> int:
        """What open models take, with those that were put out and still answer."""
        return self._taken_bytes

    @property
    def keys(self) -> list[Hashable]:
        """Of the models that are open, in the order of their last use."""
        with self._lock:
            return sorted(self._entries, key=lambda key: self._entries[key].used)

    def failure(self, key: Hashable) -> str | None:
        """Why the last load of a version failed."""
        found = self._failures.get(key)
        return None if found is None else found.error.detail

    def close(self) -> None:
        """Load no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, key: Hashable, loader: Loader[Model], future: "Future[Model]") -> None:
        started_s = time.perf_counter()
        try:
            model = self._load(key, loader)
        # A model's code may raise anything, and an exit must not take the thread along.
        except (Exception, SystemExit) as exc:
            future.set_exception(self._failed(key, exc))
            # Last: to write a traceback takes longer than all the rest.
            log.error(
                "a version cannot be loaded",
                key=str(key),
                reason=str(exc)[:_REASON_CHARS],
                exc_info=None if isinstance(exc, AtollError) else exc,
            )
        else:
            metrics.MODEL_POOL_LOAD_SECONDS.observe(time.perf_counter() - started_s)
            metrics.MODEL_POOL_LOADS.labels("loaded").inc()
            future.set_result(model)

    def _load(self, key: Hashable, loader: Loader[Model]) -> Model:
        size_bytes = loader.size_bytes()
        self._make_room(size_bytes)
        try:
            model = loader.load()
        except BaseException:
            self._free(size_bytes)
            raise
        weakref.finalize(model, self._free, size_bytes).atexit = False
        with self._lock:
            self._entries[key] = _Entry(model, size_bytes, next(self._clock))
            self._failures.pop(key, None)
            del self._loading[key]
            self._tell()
        return model

    def _make_room(self, size_bytes: int) -> None:
        """Take the bytes; put out what was not used for longest until they fit.

        Raises
        ------
        ModelUnavailable, Unavailable
        """
        if size_bytes > self.budget_bytes:
            raise ModelUnavailable(
                f"it takes {size_bytes / 1e6:.0f} MB, and all models together may take "
                f"{self.budget_bytes / 1e6:.0f} MB (`MODEL_POOL_BYTES`)",
                retry_after_s=60,
            )
        gone: list[_Entry[Model]] = []
        with self._lock:
            idle = [key for key, entry in self._entries.items() if key not in self._pinned and not entry.model.is_busy]
            idle.sort(key=lambda key: self._entries[key].used)
            free = self.budget_bytes - self._taken_bytes
            chosen: list[Hashable] = []
            for key in idle:
                if free >= size_bytes:
                    break
                free += self._entries[key].size_bytes
                chosen.append(key)
            refused = free < size_bytes
            if not refused:
                gone = [self._entries.pop(key) for key in chosen]
                self._taken_bytes += size_bytes
        if refused:
            metrics.MODEL_POOL_REFUSED.inc()
            raise Unavailable(
                "the memory for models is taken by others that are answering now, or are pinned; try again",
                retry_after_s=_FULL_RETRY_S,
            )
        metrics.MODEL_POOL_EVICTIONS.inc(len(gone))
        freed = sum(entry.size_bytes for entry in gone)
        # Where nobody holds them they end here, and `_free` is called.
        gone.clear()
        give_back(freed)

    def _free(self, size_bytes: int) -> None:
        # Not under the lock: it may be held by this very thread, where the garbage collector ends a model. A thread is
        # never changed within such a statement.
        self._taken_bytes -= size_bytes
        metrics.MODEL_POOL_BYTES.set(self._taken_bytes)

    def _failed(self, key: Hashable, exc: BaseException) -> AtollError:
        if isinstance(exc, Unavailable) and not isinstance(exc, ModelUnavailable):
            # It may well do in a moment.
            metrics.MODEL_POOL_LOADS.labels("refused").inc()
            with self._lock:
                del self._loading[key]
            return exc
        metrics.MODEL_POOL_LOADS.labels("failed").inc()
        detail = exc.detail if isinstance(exc, AtollError) else f"{type(exc).__name__}: {exc}"
        error = exc if isinstance(exc, ModelUnavailable) else ModelUnavailable(detail[:_REASON_CHARS], retry_after_s=5)
        with self._lock:
            del self._loading[key]
            self._failures[key] = _Failure(error, time.monotonic())
        return error

    def _tell(self) -> None:
        metrics.MODEL_POOL_BYTES.set(self._taken_bytes)
        metrics.MODEL_POOL_MODELS.set(len(self._entries))


def _following(future: "Future[Model]") -> "Future[Model]":
    """A future of one's own that ends as `future` does."""
    made: Future[Model] = Future()

    def ended(done: "Future[Model]") -> None:
        if not made.set_running_or_notify_cancel():
            return
        error = done.exception()
        if error is None:
            made.set_result(done.result())
        else:
            made.set_exception(error)

    future.add_done_callback(ended)
    return made


def _again(error: AtollError) -> AtollError:
    """The same error for another caller: a traceback grows with each raise."""
    retry_after_s = int(error.headers.get("Retry-After", "1"))
    return ModelUnavailable(error.detail, retry_after_s=retry_after_s)
