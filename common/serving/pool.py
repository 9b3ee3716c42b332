"""A bounded pool of threads for CPU work, so that the event loop stays free for health checks and cached answers.

Threads, not processes: NumPy, scikit-learn and ONNX Runtime release the GIL where the time goes, data sets are
memory-mapped once, and it works inside the Functions worker, which must not fork.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from starlette._utils import get_route_path

from common.errors import Busy
from common.http.current import CURRENT_SCOPE
from common.security.rules import RULES_STATE, Rules
from common.telemetry import metrics, tracing

T = TypeVar("T")

# A guess for Retry-After before the first piece of work has ended.
_FIRST_GUESS_S = 1.0


class WorkPool:
    """Runs functions on `threads` threads; at most `queue_length` more may wait.

    A caller that stops waiting (its client went away) gives its place back at once if its work has not begun.
    """

    def __init__(self, threads: int, queue_length: int) -> None:
        self.threads = threads
        self.queue_length = queue_length
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._lock = threading.Lock()
        self._taken = 0
        self._mean_s = _FIRST_GUESS_S

    async def run(self, work: Callable[..., T], /, *args: object) -> T:
        """`work(*args)` on a thread, with the caller's context variables.

        Raises
        ------
        Busy
            All threads work and the queue is full; `Retry-After` tells when a place should be free.
        """
        with self._lock:
            if self._taken >= self.threads + self.queue_length:
                metrics.POOL_REJECTED.inc()
                raise Busy(
                    f"{self._taken} predictions are running or waiting, which is the limit of this process; try again",
                    retry_after_s=self._mean_s * self._taken / self.threads,
                )
            self._taken += 1
        metrics.POOL_TAKEN.inc()
        future = self._executor.submit(contextvars.copy_context().run, partial(self._timed, work, *args))
        # Released by the future, not by this coroutine: a cancelled caller's work that already runs keeps its place.
        future.add_done_callback(lambda _: self._release())
        return await asyncio.wrap_future(future)

    def _timed(self, work: Callable[..., T], *args: object) -> T:
        started = time.perf_counter()
        try:
            if tracing.spans is None:
                return work(*args)
            with tracing.span("compute", _told()):
                return work(*args)
        finally:
            # An exponential mean needs no history and forgets a slow first call.
            self._mean_s += 0.2 * (time.perf_counter() - started - self._mean_s)

    def _release(self) -> None:
        with self._lock:
            self._taken -= 1
        metrics.POOL_TAKEN.dec()

    def close(self) -> None:
        """Take no more work; what runs is finished."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _told() -> dict[str, tracing.Value]:
    """Which model computes, by the route that asked: old prefixes do not name it."""
    scope = CURRENT_SCOPE.get()
    if scope is None or "app" not in scope:
        return {}
    rules: Rules = getattr(scope["app"].state, RULES_STATE)
    found = rules.find(get_route_path(scope), scope["method"])
    model = None if found is None else found.model(scope["method"])
    return {} if model is None else {"atoll.model": model}
