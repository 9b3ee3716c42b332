"""A queue in which nobody waits for all of somebody else's work."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items of each caller in their order; callers take turns, an item each. Not for threads."""

    def __init__(self) -> None:
        self._callers: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def held_by(self, caller: str) -> int:
        """How many items of `caller` wait."""
        return len(self._callers.get(caller, ()))

    def put(self, caller: str, item: T) -> None:
        waiting = self._callers.get(caller)
        if waiting is None:
            waiting = self._callers[caller] = deque()
        waiting.append(item)
        self._length += 1

    def take(self, count: int) -> list[tuple[str, T]]:
        """The next `count` items, fewer where there are not so many."""
        taken: list[tuple[str, T]] = []
        while self._callers and len(taken) < count:
            caller, waiting = next(iter(self._callers.items()))
            taken.append((caller, waiting.popleft()))
            if waiting:
                self._callers.move_to_end(caller)
            else:
                del self._callers[caller]
        self._length -= len(taken)
        return taken

    def put_back(self, items: Iterator[tuple[str, T]]) -> None:
        """Items that were taken and not used, in the order in which they came; their callers are next."""
        for caller, item in reversed(list(items)):
            waiting = self._callers.get(caller)
            if waiting is None:
                waiting = self._callers[caller] = deque()
            waiting.appendleft(item)
            self._callers.move_to_end(caller, last=False)
            self._length += 1
