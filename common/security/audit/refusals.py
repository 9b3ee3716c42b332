"""Refused attempts at what is for `admin`: in the audit log, the same by the same caller once a minute.

Every one of them stands in the access log with its caller; a row each would let a caller fill the database.
"""

import threading
from collections import OrderedDict

from common.clock import Clock, SystemClock
from common.security.audit.log import audit
from common.security.audit.record import REFUSED
from common.security.principal import Principal

EVERY_S = 60.0
_REMEMBERED = 1000


class Refusals:
    """One an app; threads may share it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._told_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_due(self, by: Principal, target: str) -> bool:
        """Whether to record it; True at most once a minute for the same."""
        now_s, key = self._clock.monotonic_s(), (by.id, target)
        with self._lock:
            if now_s - self._told_s.get(key, -EVERY_S) < EVERY_S:
                return False
            self._told_s[key] = now_s
            self._told_s.move_to_end(key)
            while len(self._told_s) > _REMEMBERED:
                self._told_s.popitem(last=False)
        return True

    @staticmethod
    def record(by: Principal, target: str) -> None:
        """Write it. Blocks."""
        audit("access.refused", by=by, target=target, outcome=REFUSED, needs="admin")
