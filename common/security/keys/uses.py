"""Notes when keys were last used: at most once a minute a key, and never while a request waits."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from common.clock import Clock
from common.telemetry.logs import get_logger

log = get_logger("atoll.keys")

# As exact as last use is.
EVERY_S = 60.0


class LastUses:
    """Threads may share it.

    Parameters
    ----------
    write : writes the last use by id; blocks, and runs on a thread of its own.
    """

    def __init__(self, write: Callable[[Mapping[str, datetime]], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._noted_s: dict[str, float] = {}
        self._waiting: dict[str, datetime] = {}
        self._is_writing = False

    def note(self, key_id: str) -> None:
        """A key was used just now. Costs next to nothing but once a minute."""
        now_s = self._clock.monotonic_s()
        if now_s - self._noted_s.get(key_id, -EVERY_S) < EVERY_S:
            return
        with self._lock:
            self._noted_s[key_id] = now_s
            self._waiting[key_id] = self._clock.now()
            if self._is_writing:
                return
            self._is_writing = True
        threading.Thread(target=self._write_all, name="key-uses", daemon=True).start()

    def keep(self, ids: Mapping[str, object]) -> None:
        """Forget all keys but these, so that what is held is bounded by the keys that there are."""
        with self._lock:
            for key_id in self._noted_s.keys() - ids.keys():
                del self._noted_s[key_id]

    def _write_all(self) -> None:
        while True:
            with self._lock:
                uses, self._waiting = self._waiting, {}
                if not uses:
                    self._is_writing = False
                    return
            try:
                self._write(uses)
            except Exception as exc:  # noqa: BLE001  # the next use is written instead
                log.warning("last use of keys cannot be written", error=type(exc).__name__)
