"""Clients that do not wait for their answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The outcome of `work`, or None once the client has closed its connection: the work is cancelled then.

    Servers do not cancel a handler whose client is gone; without this, its place in a queue would stay taken.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        gone.cancel()
        task.cancel()


async def _gone(request: Request) -> None:
    """Return when the client is gone. The body has been read; what still comes can only be that."""
    message = await request.receive()
    if message["type"] != "http.disconnect":
        # A host that does not tell: wait for the work alone.
        await asyncio.Event().wait()
