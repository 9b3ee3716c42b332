"""How many executors an application had, and when that changed. Pure."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass
class Executors:
    """Executors by the times of their coming and going, in seconds."""

    _times: list[float] = field(default_factory=list)
    # 1 for one that came, -1 for one that went, in the order of the times.
    _changes: list[int] = field(default_factory=list)
    _present: set[str] = field(default_factory=set)
    # How many there were after each change; made anew after another one.
    _counts: list[int] | None = None

    def added(self, at_s: float, executor: str) -> None:
        if executor not in self._present:
            self._present.add(executor)
            self._changed(at_s, 1)

    def removed(self, at_s: float, executor: str) -> None:
        if executor in self._present:
            self._present.remove(executor)
            self._changed(at_s, -1)

    @property
    def known(self) -> bool:
        return bool(self._changes)

    def at(self, at_s: float) -> int:
        """How many there were."""
        if self._counts is None:
            self._counts = list(accumulate(self._changes, initial=0))
        return self._counts[bisect_right(self._times, at_s)]

    def rescaling(self, start_s: float, end_s: float) -> float:
        """The share of this time in which executors were coming or going.

        It ends with the last change. Executors that come first had been asked for before the time began; where one
        goes first (it failed, or was given back), it begins with that.
        """
        first, after = bisect_right(self._times, start_s), bisect_right(self._times, end_s)
        if first >= after or end_s <= start_s:
            return 0.0
        began_s = start_s if self._changes[first] > 0 else self._times[first]
        return (self._times[after - 1] - began_s) / (end_s - start_s)

    def _changed(self, at_s: float, change: int) -> None:
        # Where one comes and another goes at once, it goes first.
        low, high = bisect_left(self._times, at_s), bisect_right(self._times, at_s)
        place = low + self._changes[low:high].count(-1) if change < 0 else high
        self._times.insert(place, at_s)
        self._changes.insert(place, change)
        self._counts = None
