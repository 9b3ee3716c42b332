"""The inside of a process that runs jobs for a worker: one at a time, until it is told to end or its worker is gone.

The process has the app, the models and a database connection of its own, and runs `Runner.handle` whole: attempts,
progress, results and their fencing are written here. Its worker looks whether the job lives and is wanted, because
code that keeps the interpreter busy lets no other thread of its process look at anything.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType

from common.jobs.handling import Disposition
from common.jobs.prints import Prints
from common.jobs.queues.base import Message
from common.jobs.records import Job
from common.jobs.runner import Runner
from common.settings import Settings
from common.telemetry import metrics, tracing
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

# What ends a worker, and may be sent to all processes at once.
WORKERS_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
# Below the server, which answers people who wait.
_NICENESS = 5
# What the kernel kills first when memory runs out, 0 to 1000.
_OOM_SCORE = "500"
# What telemetry gets to be sent in, where its receiver is slow; after jobs that follow each other it goes by itself.
_FLUSH_S = 2.0
_FLUSH_EVERY_S = 1.0
# What a job that was told to leave gets, when nobody is there any more to wait for it.
_LEAVE_S = 10.0
# How long a worker that ends may take, from removing its folders, until its end of the pipe is closed.
_END_S = 2.0


@dataclass(frozen=True)
class Handle:
    """To the child: run the message's job."""

    message: Message


@dataclass(frozen=True)
class Cancel:
    """To the child: somebody cancelled the job."""

    job_id: str


@dataclass(frozen=True)
class Leave:
    """To the child: put the job back."""


@dataclass(frozen=True)
class Ready:
    """From the child: it can take messages."""


@dataclass(frozen=True)
class Began:
    """From the child: an attempt has begun."""

    job: Job


@dataclass(frozen=True)
class Ended:
    """From the child: the message was handled. With `is_spent` code may still be running that nobody waits for."""

    disposition: Disposition
    is_spent: bool


Build = Callable[[Settings], Runner]


def serving_runner(settings: Settings) -> Runner:
    """The runner of a process that has the whole app."""
    from common.app import create_app

    runtime = create_app(settings).state.runtime
    runtime.start()
    runner: Runner = runtime.jobs.runner
    return runner


def main(pipe: Connection, settings: Settings, build: Build, memory_bytes: int, environment: Mapping[str, str]) -> None:
    """Handle messages from the pipe until it is closed.

    Parameters
    ----------
    build : gives the runner; called here, so that it opens its connections in this process.
    memory_bytes : the most that this process may take, 0 for as much as there is.
    environment : the worker's; the process that this one was forked from may be older than some of it.
    """
    os.environ.clear()
    os.environ.update(environment)
    _settle(memory_bytes)
    try:
        runner = build(settings)
    except Exception:
        if is_abandoned(pipe):
            # Nobody is there to be told, and what was missing went with the worker, as the folder of its metrics.
            os._exit(0)
        raise
    metrics.leave_gauges()
    runner.report_to(lambda job: _tell(pipe, Began(job)))
    inbox: SimpleQueue[Handle | None] = SimpleQueue()
    threading.Thread(target=_read, args=(pipe, runner, inbox), name="pipe", daemon=True).start()
    _tell(pipe, Ready())
    flushed_s = -math.inf
    with contextlib.redirect_stdout(Prints(runner.print_here, sys.stderr)):
        while (order := inbox.get()) is not None:
            disposition = runner.handle(order.message)
            if time.monotonic() - flushed_s >= _FLUSH_EVERY_S:
                # The worker may end this process as soon as it knows.
                tracing.flush(_FLUSH_S)
                flushed_s = time.monotonic()
            _tell(pipe, Ended(disposition, runner.is_spent))
    # Not by the interpreter: it would wait for threads that the models' code has left behind.
    os._exit(0)


def is_abandoned(pipe: Connection) -> bool:
    """Whether the worker is gone, or goes within two seconds. What it has sent is dropped."""
    until = time.monotonic() + _END_S
    try:
        while pipe.poll(max(0.0, until - time.monotonic())):
            pipe.recv()
    except (EOFError, OSError):
        return True
    return False


def _read(pipe: Connection, runner: Runner, inbox: "SimpleQueue[Handle | None]") -> None:
    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            break
        if isinstance(order, Handle):
            inbox.put(order)
        elif isinstance(order, Cancel):
            runner.cancel_here(order.job_id)
        elif isinstance(order, Leave):
            runner.leave()
    # The worker is gone, perhaps killed: the job is put back at once instead of being found missing later.
    inbox.put(None)
    runner.leave()
    threading.Event().wait(_LEAVE_S)
    os._exit(1)


def _tell(pipe: Connection, reply: Ready | Began | Ended) -> None:
    # When the worker is gone, the thread that reads ends this process.
    with contextlib.suppress(OSError):
        pipe.send(reply)


def _settle(memory_bytes: int) -> None:
    """Let the worker end this process with all that it started, and take no more memory than it may."""

    def wait_for_the_worker(_: int, __: FrameType | None) -> None:
        """A terminal or a service manager signals all processes; the worker decides what becomes of the job."""

    # Handlers, not SIG_IGN: that would be passed on to programs that a model's code starts.
    signal.signal(signal.SIGINT, wait_for_the_worker)
    signal.signal(signal.SIGTERM, wait_for_the_worker)
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WORKERS_SIGNALS)
    os.setsid()
    os.nice(_NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - no file on a disk
        file.write(_OOM_SCORE)
    if memory_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
