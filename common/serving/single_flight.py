"""Equal concurrent requests are computed once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from common.serving.progress import Listener, Stopped, listener, listening

T = TypeVar("T")


class _Flight:
    """The callers that wait for one computation: it is told to whom of them it matters how far it is.

    They come and go on the event loop; the computation reports from its thread.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._listeners: tuple[Listener, ...] = ()

    def join(self, found: Listener | None) -> None:
        self.waiting += 1
        if found is not None:
            self._listeners = (*self._listeners, found)

    def leave(self, found: Listener | None) -> None:
        self.waiting -= 1
        if found is not None:
            self._listeners = tuple(other for other in self._listeners if other is not found)

    def check_cancelled(self) -> None:
        if not self.waiting:
            raise Stopped

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        for found in self._listeners:
            found.progress(fraction, message)


class SingleFlight(Generic[T]):
    """Callers with the same key share one computation, its result and its error.

    The computation is a task of its own, so a caller that goes away does not take the others' answer with it; it is
    cancelled when the last of them has gone, and leaves its thread where it next reports its progress.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, tuple[asyncio.Task[T], _Flight]] = {}

    async def run(self, key: bytes, compute: Callable[[], Awaitable[T]]) -> T:
        known = self._flights.get(key)
        # Each event loop has flights of its own: the Functions worker may use more than one.
        if known is None or known[0].get_loop() is not asyncio.get_running_loop():
            made = _Flight()
            task: asyncio.Task[T] = asyncio.ensure_future(self._call(key, compute, made))
            known = self._flights[key] = (task, made)
        task, flight = known
        told = listener()
        flight.join(told)
        try:
            return await asyncio.shield(task)
        finally:
            flight.leave(told)
            if flight.waiting == 0 and not task.done():
                task.cancel()
                self._forget(key, task)

    async def _call(self, key: bytes, compute: Callable[[], Awaitable[T]], flight: _Flight) -> T:
        try:
            # In place of who listened to the caller that came first: it may leave before the others.
            with listening(flight):
                return await compute()
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._forget(key, task)

    def _forget(self, key: bytes, task: "asyncio.Task[object] | asyncio.Task[T]") -> None:
        if key in self._flights and self._flights[key][0] is task:
            del self._flights[key]
