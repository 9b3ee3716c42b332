"""Equal concurrent requests are computed once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Callers with the same key share one computation, its result and its error.

    The computation is a task of its own, so a caller that goes away does not take the others' answer with it; it is
    cancelled when the last of them has gone.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, tuple[asyncio.Task[T], list[int]]] = {}

    async def run(self, key: bytes, compute: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights.get(key)
        # Each event loop has flights of its own: the Functions worker may use more than one.
        if flight is None or flight[0].get_loop() is not asyncio.get_running_loop():
            task: asyncio.Task[T] = asyncio.ensure_future(self._call(key, compute))
            flight = self._flights[key] = (task, [0])
        task, waiting = flight
        waiting[0] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[0] -= 1
            if waiting[0] == 0 and not task.done():
                task.cancel()
                self._forget(key, task)

    async def _call(self, key: bytes, compute: Callable[[], Awaitable[T]]) -> T:
        try:
            return await compute()
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._forget(key, task)

    def _forget(self, key: bytes, task: "asyncio.Task[object] | asyncio.Task[T]") -> None:
        if key in self._flights and self._flights[key][0] is task:
            del self._flights[key]
