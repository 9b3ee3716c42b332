"""How many executors an application had, and when that changed. Pure."""

from bisect import bisect_right, insort
from dataclasses import dataclass, field


@dataclass
class Executors:
    """Executors by the times of their coming and going, in seconds."""

    _changes: list[tuple[float, int]] = field(default_factory=list)
    _present: set[str] = field(default_factory=set)

    def added(self, at_s: float, executor: str) -> None:
        if executor not in self._present:
            self._present.add(executor)
            insort(self._changes, (at_s, 1))

    def removed(self, at_s: float, executor: str) -> None:
        if executor in self._present:
            self._present.remove(executor)
            insort(self._changes, (at_s, -1))

    @property
    def known(self) -> bool:
        return bool(self._changes)

    def at(self, at_s: float) -> int:
        """How many there were."""
        return sum(change for _, change in self._changes[: bisect_right(self._changes, (at_s, 2))])

    def rescaling(self, start_s: float, end_s: float) -> float:
        """The share of this time in which executors were coming or going.

        It ends with the last change. Executors that come first had been asked for before the time began; where one
        goes first (it failed, or was given back), it begins with that.
        """
        within = [change for change in self._changes if start_s < change[0] <= end_s]
        if not within or end_s <= start_s:
            return 0.0
        began_s = start_s if within[0][1] > 0 else within[0][0]
        return (within[-1][0] - began_s) / (end_s - start_s)
