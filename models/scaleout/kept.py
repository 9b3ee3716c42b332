"""What takes long to make, made once: the newest few, however many threads ask for them at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Threads may share it.

    Parameters
    ----------
    most : of them that are kept; what was not asked for the longest goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Future[Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What is kept under the key, or what `make` makes; whoever asks meanwhile waits for it.

        What `make` raises is raised to all who wait, and not kept.
        """
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
            else:
                mine = self._made[key] = Future()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
        if found is not None:
            return found.result()
        try:
            value = make()
        except BaseException as exc:
            with self._lock:
                if self._made.get(key) is mine:
                    del self._made[key]
            mine.set_exception(exc)
            raise
        mine.set_result(value)
        return value
