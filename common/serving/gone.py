"""Clients that do not wait for their answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")

# Work that takes less is not worth looking after its client: two tasks cost as much as a small prediction.
_LOOK_AFTER_S = 0.01


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The outcome of `work`, or None once the client has closed its connection: the work is cancelled then.

    Servers do not cancel a handler whose client is gone; without this, its place in a queue would stay taken.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - coroutines run in one
    watching: asyncio.Task[None] | None = None
    is_gone = False

    async def watch() -> None:
        nonlocal is_gone
        await _gone(request)
        is_gone = True
        # This task waits for the work as long as it is watched, so it is there that it is cancelled.
        task.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    timer = loop.call_later(_LOOK_AFTER_S, begin)
    try:
        return await work
    except asyncio.CancelledError:
        # Cancelled by others too, it ends as they want it.
        if is_gone and task.uncancel() == 0:
            return None
        raise
    finally:
        timer.cancel()
        if watching is not None:
            watching.cancel()


async def _gone(request: Request) -> None:
    """Return when the client is gone. The body has been read; what still comes can only be that."""
    message = await request.receive()
    if message["type"] != "http.disconnect":
        # A host that does not tell: wait for the work alone.
        await asyncio.Event().wait()
