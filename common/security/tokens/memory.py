"""Tokens that were verified a moment ago, so that the next request with one costs a hash."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from common.clock import Clock
from common.security.principal import Principal

KEEP_S = 300.0
"""Longest that a token is taken without looking at it again."""
ENTRIES = 4096
"""Most tokens that are remembered: a few megabytes."""


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    generation: int
    ends_s: float
    forget_s: float


class Verified:
    """Principals by the SHA-256 of their token: what memory holds cannot be used to call. Threads may share one."""

    def __init__(self, clock: Clock, *, entries: int = ENTRIES) -> None:
        self._clock = clock
        self._max = entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: str, generation: int) -> Principal | None:
        """Whose token it is, if it was verified with keys of this generation and is still good."""
        digest = _digest(token)
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            if (
                entry.generation != generation
                or self._clock.monotonic_s() >= entry.forget_s
                or self._clock.now().timestamp() >= entry.ends_s
            ):
                del self._entries[digest]
                return None
            self._entries.move_to_end(digest)
            return entry.principal

    def put(self, token: str, principal: Principal, *, generation: int, ends_s: float) -> None:
        """Remember a token that was verified; `ends_s` in Unix time is when it is no good any more."""
        entry = _Entry(principal, generation, ends_s, self._clock.monotonic_s() + KEEP_S)
        with self._lock:
            self._entries[_digest(token)] = entry
            if len(self._entries) > self._max:
                self._entries.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
