"""Makes, talks to and ends the processes that run jobs."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from common.jobs.child import WORKERS_SIGNALS, Began, Build, Cancel, Ended, Handle, Leave, Ready, main
from common.jobs.memory import most_bytes
from common.orphans import adopt
from common.settings import Settings

Order = Handle | Cancel | Leave
Reply = Ready | Began | Ended

# A killed process is gone at once, unless the disk it writes to hangs.
_REAP_S = 5.0


class Child:
    """One process that runs jobs, as its worker sees it. `send` may be called from several threads."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._lock = threading.Lock()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """As `multiprocessing` gives it, once the process has ended."""
        self._process.join(_REAP_S)
        return self._process.exitcode

    def send(self, order: Order) -> None:
        """Tell the process something. One that is dead does not hear it; `receive` tells."""
        with self._lock, contextlib.suppress(OSError):
            self._pipe.send(order)

    def receive(self, timeout_s: float) -> Reply | EOFError | None:
        """What the process says next; None if it says nothing for so long, `EOFError` if it is dead."""
        try:
            if not self._pipe.poll(timeout_s):
                return None
            reply: Reply = self._pipe.recv()
        except (EOFError, OSError) as exc:
            return EOFError(str(exc))
        return reply

    def kill(self) -> None:
        """End the process, and what its code has started, at once."""
        if sys.platform != "win32" and self._process.pid is not None:
            # It leads a group of its own, unless it was caught while it started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join(_REAP_S)


class Nursery:
    """Makes processes. All are forked from one that has imported the app and done nothing else, so one costs little.

    This process itself cannot be forked: its threads hold locks that nobody would ever release in the copy.
    """

    def __init__(self, settings: Settings, build: Build) -> None:
        self._settings = settings
        self._build = build
        self._memory_bytes = most_bytes(settings.jobs.memory_bytes)
        self._context = _context()
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_adopted = False

    def close(self) -> None:
        """Make no more processes. Waits for one that is being made, which nobody could end otherwise."""
        is_mine = self._lock.acquire(timeout=_REAP_S)
        self._is_closed = True
        if is_mine:
            self._lock.release()

    def make(self) -> Child:
        """A new process; it is not ready yet. Raises `OSError` if there can be none."""
        ours, theirs = multiprocessing.Pipe()
        # The context's own machinery is not made for several threads.
        with self._lock:
            if self._is_closed:
                raise OSError("the worker is ending")
            self._adopt_folder()
            arguments = (theirs, self._settings, self._build, self._memory_bytes, dict(os.environ))
            # Not a daemon: those may not have processes of their own.
            process = self._context.Process(target=main, args=arguments, name="job", daemon=False)
            with _signals_kept_back():
                process.start()
        theirs.close()
        return Child(process, ours)

    def _adopt_folder(self) -> None:
        """Put a name to where the socket lies by which processes are made: if this one is killed, it stays behind."""
        if sys.platform != "win32" and not self._is_adopted:
            adopt(Path(util.get_temp_dir()))
            self._is_adopted = True


@contextlib.contextmanager
def _signals_kept_back() -> Iterator[None]:
    """Keep the signals that end a worker from the process that forks the others, which takes this thread's mask.

    It would die of them, and complain, while it imports. The others take them again.
    """
    if sys.platform == "win32":
        yield
        return
    # It starts with the first process, and takes the mask away; while it runs, it does not.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WORKERS_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _context() -> SpawnContext | ForkServerContext:
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["common.preload"])
    return context
