"""Results kept in memory, bounded by bytes, least recently used first out."""

import math
import threading
import time
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
        # The value, and when it is forgotten.
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            value, until_s = entry
            if until_s <= time.monotonic():
                self._drop(key, value)
                return None
            self._entries.move_to_end(key)
            return value

    def put(self, key: bytes, value: bytes, ttl_s: float = math.inf) -> None:
        """Keep `value` for `ttl_s` seconds, as far as there is room."""
        cost = len(value) + _OVERHEAD_BYTES
        if cost > self.max_bytes // 4:
            return
        with self._lock:
            old = self._entries.get(key)
            if old is not None:
                self._drop(key, old[0])
            # A copy: what orjson writes is cut from a buffer of 4 KB, of which hardly anything else can use the rest.
            self._entries[key] = (b"".join((value, b"")), time.monotonic() + ttl_s)
            self.size_bytes += cost
            while self.size_bytes > self.max_bytes:
                oldest, (dropped, _) = next(iter(self._entries.items()))
                self._drop(oldest, dropped)

    def _drop(self, key: bytes, value: bytes) -> None:
        del self._entries[key]
        self.size_bytes -= len(value) + _OVERHEAD_BYTES
