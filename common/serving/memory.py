"""Memory that was freed, back to the machine: the C library keeps it for itself, and a container counts it."""

import ctypes
import sys
import threading
from functools import lru_cache
from typing import Any

# Giving back takes milliseconds.
_WORTH_BYTES = 32 << 20
_lock = threading.Lock()
_freed = 0


def give_back(freed_bytes: int) -> None:
    """Take note that so much was freed; once it is worth it, the C library returns what it does not use."""
    global _freed
    with _lock:
        _freed += freed_bytes
        if _freed < _WORTH_BYTES:
            return
        _freed = 0
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    if sys.platform != "linux":
        return None
    # Not in every C library (musl has none).
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
