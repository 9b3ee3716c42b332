"""The one event loop of this process's SSH connections, on a thread of its own; runners are called from many."""

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_pid = 0


def shared_loop() -> asyncio.AbstractEventLoop:
    """The loop, begun at first use; a process that was forked off begins one of its own."""
    global _loop, _thread, _pid
    with _lock:
        if _loop is None or _pid != os.getpid():
            _loop = asyncio.new_event_loop()
            _pid = os.getpid()
            _thread = threading.Thread(target=_loop.run_forever, name="ssh", daemon=True)
            _thread.start()
        return _loop


def start(work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
    """Begin `work` on the loop."""
    return asyncio.run_coroutine_threadsafe(work, shared_loop())


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` on the loop and wait for it; it brings its own time-outs.

    A caller who is interrupted has it cancelled. On the loop's own thread nobody may wait for it.
    """
    if threading.current_thread() is _thread:
        work.close()
        raise RuntimeError("the thread of SSH connections cannot wait for itself")
    future = start(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
