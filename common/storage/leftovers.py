"""Partial files on the share: what writers that were killed left there, found once a day."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from common.clock import Clock
from common.storage.share import Share
from common.telemetry.logs import get_logger

log = get_logger("atoll.storage")

EVERY = timedelta(days=1)
# Every write makes a file young again, and the clocks of share and process may differ: a writer that lives is safe.
OLD_S = 86400.0
NAME = "leftovers"


class Calendar(Protocol):
    """When something is due next, known to all processes; None before it was ever done."""

    def schedule_next(self, name: str) -> datetime | None: ...
    def set_schedule(self, name: str, next_at: datetime) -> None: ...


class Leftovers:
    """One a process; of all processes one sweeps a day.

    Parameters
    ----------
    open_share : called at the first sweep, since a share that is away must not keep anything from starting.
    """

    def __init__(self, open_share: Callable[[], Share], calendar: Calendar, clock: Clock) -> None:
        self._open_share = open_share
        self._calendar = calendar
        self._clock = clock
        self._thread: threading.Thread | None = None

    def sweep_if_due(self) -> bool:
        """Begin to sweep on a thread, since a large share takes minutes to list. Whether it was due."""
        now = self._clock.now()
        due = self._calendar.schedule_next(NAME)
        # Later than it can be: the clock was set back.
        if due is not None and now < due <= now + EVERY:
            return False
        # Before, not after: where it fails, tomorrow is soon enough.
        self._calendar.set_schedule(NAME, now + EVERY)
        if self._thread is not None and self._thread.is_alive():
            return False
        # A daemon: a share that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._sweep, name="leftovers", daemon=True)
        self._thread.start()
        return True

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the sweep that has begun, if there is one."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _sweep(self) -> None:
        try:
            gone = self._open_share().sweep(OLD_S)
        except Exception as exc:  # noqa: BLE001 - whatever the share says, nothing waits for this
            log.warning("leftovers on the share cannot be removed", error=f"{type(exc).__name__}: {exc}"[:300])
            return
        if gone:
            log.info("removed partial files of writers that ended", files=gone)
