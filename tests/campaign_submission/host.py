"""`python -m tests.campaign_submission.host`: Atoll's own host, which kills itself at a chosen step of a task's life.

`CAMPAIGN_MINE` is `<step> <before|after> <n>`: at the n-th time. Nothing of Atoll reads it.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from common.cli import main, serve
from common.submission.collect import Collector
from common.submission.executor import SubmissionExecutor
from common.submission.reconcile import Reconciler
from common.submission.runners.base import Runner
from common.submission.service import TaskService
from common.submission.store import TaskStore

# Where a task's life can be cut off: a method by which it goes on.
STEPS: dict[str, tuple[type, str]] = {
    "accept": (TaskService, "submit"),
    "cancel asked": (TaskService, "cancel"),
    "begin anew": (TaskService, "begin_anew"),
    "ask for files": (TaskService, "collect"),
    "prepare": (SubmissionExecutor, "_prepare"),
    "hand over": (SubmissionExecutor, "_ask"),
    "record": (SubmissionExecutor, "_record"),
    "cancel": (SubmissionExecutor, "_cancel"),
    "write what was seen": (TaskStore, "change_all"),
    "look": (Reconciler, "reconcile"),
    "bring files": (Collector, "_bring"),
    "note files": (Collector, "_note"),
}
# Of whichever runner: found when the cluster is first used.
RUNNER_STEPS = ("find", "submit", "observe", "cancel", "clean")
ALL_STEPS = [*STEPS, *(f"runner {name}" for name in RUNNER_STEPS)]


class Mine:
    """Kills its process when it is passed for the n-th time."""

    def __init__(self, when: str, left: int, told: Path) -> None:
        self._when = when
        self._left = left
        self._told = told
        self._lock = threading.Lock()

    def lay(self, owner: type, name: str) -> None:
        """Wrap a method of a class."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def mined(*args: Any, **options: Any) -> Any:
            self._pass("before")
            answer = method(*args, **options)
            self._pass("after")
            return answer

        setattr(owner, name, mined)

    def _pass(self, when: str) -> None:
        with self._lock:
            if when != self._when:
                return
            self._left -= 1
            if self._left == 0:
                self._told.write_text("blown")
                os.kill(os.getpid(), signal.SIGKILL)


def lay(step: str, mine: Mine) -> None:
    """Put a mine at a step of `ALL_STEPS`."""
    if step in STEPS:
        mine.lay(*STEPS[step])
        return
    name = step.removeprefix("runner ")
    made: Callable[..., None] = Runner.__init__

    @functools.wraps(made)
    def init(self: Runner, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        mine.lay(type(self), name)

    Runner.__init__ = init  # type: ignore[method-assign]


if __name__ == "__main__":
    given, told = os.environ.get("CAMPAIGN_MINE"), Path(os.environ["CAMPAIGN_TOLD"])
    if given:
        step, when, left = given.rsplit(" ", 2)
        lay(step, Mine(when, int(left), told))

    alone = typer.Typer(pretty_exceptions_enable=False)
    alone.command()(serve)
    main("python -m common.host", command=alone)
