"""Wrappers that make a dependency fail: before it did anything, or after it did all and the caller saw a time-out."""

import random
from collections.abc import Callable, Iterable
from typing import Any


class InjectedTimeout(OSError):
    """What a caller sees when the network fails."""


class Faulty:
    """Passes everything on to `target`; calls of the named methods fail at a rate.

    Parameters
    ----------
    names : methods that can fail; by default all.
    before : rate at which a call fails without having done anything.
    after : rate at which a call does everything, and then fails.
    error : makes what is raised, from a text; each kind of dependency has its own.
    """

    def __init__(
        self,
        target: Any,
        rng: random.Random,
        *,
        names: Iterable[str] | None = None,
        before: float = 0.0,
        after: float = 0.0,
        error: Callable[[str], Exception] = InjectedTimeout,
    ) -> None:
        self._target = target
        self._rng = rng
        self._names = frozenset(names) if names is not None else None
        self.before = before
        self.after = after
        self._error = error
        self.injected = 0

    def heal(self) -> None:
        """Fail no more."""
        self.before = self.after = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found) or (self._names is not None and name not in self._names):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._rng.random() < self.before:
                self.injected += 1
                raise self._error(f"{name} did not happen")
            answer = found(*args, **kwargs)
            if self._rng.random() < self.after:
                self.injected += 1
                raise self._error(f"{name} happened, but nobody was told")
            return answer

        return call
