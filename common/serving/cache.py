"""Results kept in memory, bounded by bytes, least recently used first out."""

import threading
from collections import OrderedDict

# What an entry costs beside its bytes: two dict slots, a key of 32 bytes, object headers.
_OVERHEAD_BYTES = 200


class ByteCache:
    """A map from key to bytes that never holds more than `max_bytes`. Safe for threads.

    An entry larger than a quarter of the whole is not kept: it would throw out too many others.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: bytes, value: bytes) -> None:
        cost = len(value) + _OVERHEAD_BYTES
        if cost > self.max_bytes // 4:
            return
        with self._lock:
            old = self._entries.pop(key, None)
            if old is not None:
                self.size_bytes -= len(old) + _OVERHEAD_BYTES
            self._entries[key] = value
            self.size_bytes += cost
            while self.size_bytes > self.max_bytes:
                _, dropped = self._entries.popitem(last=False)
                self.size_bytes -= len(dropped) + _OVERHEAD_BYTES
