"""What a cluster told of itself not long ago, without waiting for it."""

import threading
from collections.abc import Callable, Sequence

from common.clock import Clock
from common.submission.records import ClusterInfo, Partition

_KEPT_S = 60.0
# Only while nothing is known yet, and only once.
_FIRST_S = 2.0


class Facts:
    """The partitions of a cluster. They are asked for anew, on a thread of its own, when they are over a minute old.

    Parameters
    ----------
    ask : asks the cluster; does not raise.
    """

    def __init__(self, ask: Callable[[], ClusterInfo], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[float, Sequence[Partition]] | None = None
        self._is_asking = False
        self._answered = threading.Event()

    def note(self, info: ClusterInfo) -> None:
        """Keep what the cluster has just told."""
        if info.state != "down":
            self._kept = self._clock.monotonic_s(), info.partitions
        self._answered.set()

    def known(self) -> tuple[Sequence[Partition] | None, bool]:
        """The partitions, None while they are not known, and whether that was told within the last minute."""
        kept = self._kept
        if kept is not None and self._clock.monotonic_s() - kept[0] < _KEPT_S:
            return kept[1], True
        with self._lock:
            is_asking, self._is_asking = self._is_asking, True
        if not is_asking:
            threading.Thread(target=self._refresh, name="slurm-facts", daemon=True).start()
        if kept is None:
            self._answered.wait(_FIRST_S)
            kept = self._kept
            return (kept[1], True) if kept is not None else (None, False)
        return kept[1], False

    def _refresh(self) -> None:
        try:
            self.note(self._ask())
        finally:
            with self._lock:
                self._is_asking = False
