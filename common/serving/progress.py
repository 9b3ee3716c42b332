"""How far a long computation is, told from deep within it; and leaving it when nobody waits for the outcome any more.

A model says `report(fraction, message)` at its natural steps and knows nothing of who listens: the job that its request
became, the requests that share the computation, or nobody, where it costs a tenth of a microsecond. Who listens
travels in a context variable, through tasks and onto the threads of the pool.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

from common.errors import Stopped as Stopped


class Listener(Protocol):
    """Who is told."""

    def check_cancelled(self) -> None:
        """Raise `Stopped` if the computation is to end."""

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Take note; 0 to 1, None leaves it as it was."""


class _Scope:
    """A listener, and the share of its whole that is under way: `width` from `start` on."""

    __slots__ = ("listener", "start", "width")

    def __init__(self, listener: Listener, start: float = 0.0, width: float = 1.0) -> None:
        self.listener = listener
        self.start = start
        self.width = width

    def check_cancelled(self) -> None:
        self.listener.check_cancelled()

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        self.listener.progress(None if fraction is None else self.start + self.width * fraction, message)


_current: ContextVar[_Scope | None] = ContextVar("atoll_progress", default=None)


def report(fraction: float, message: str | None = None) -> None:
    """Tell how far the work of the function at hand is, 0 to 1, and leave it if nobody waits for it.

    Parameters
    ----------
    message : what is being done, for people; None leaves the last one.

    Raises
    ------
    Stopped
        The job was cancelled, or every client has gone.
    """
    scope = _current.get()
    if scope is not None:
        scope.listener.check_cancelled()
        scope.listener.progress(scope.start + scope.width * fraction, message)


@contextmanager
def part(start: float, end: float) -> Iterator[None]:
    """Within it, what is reported as 0 to 1 counts as `start` to `end` of the work around it."""
    scope = _current.get()
    if scope is None:
        yield
        return
    token = _current.set(_Scope(scope.listener, scope.start + scope.width * start, scope.width * (end - start)))
    try:
        yield
    finally:
        _current.reset(token)


def share(number: int, count: int) -> AbstractContextManager[None]:
    """Within it, work is the part `number` (from 0) of `count` equal ones."""
    return part(number / count, (number + 1) / count)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within it, `listener` is told what is reported."""
    token = _current.set(_Scope(listener))
    try:
        yield
    finally:
        _current.reset(token)


def listener() -> Listener | None:
    """Who is told what is reported here; None outside of jobs and shared computations."""
    return _current.get()
