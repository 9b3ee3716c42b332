"""Which attempts have gone silent, told without trusting any clock that can be set. Pure: times are given.

Heartbeats are wall times of the workers' machines. A watcher that has seen one change knows by its own monotonic
clock how long ago that was; so neither a jump of its clock nor a worker whose clock is wrong makes a live job look
dead. The wall time counts only as far as it can be true, and at the watcher's first look, which has nothing else.
"""

import math
from collections.abc import Sequence
from datetime import datetime

from common.jobs.records import Beat

# Clocks are steered by less than this between two looks.
_JUMP_S = 5.0


class Watch:
    """Remembers heartbeats between looks. One a process.

    Parameters
    ----------
    stall_s : seconds of silence after which an attempt counts as lost.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        # When each heartbeat was made, by the watcher's monotonic clock.
        self._made_s: dict[tuple[str, int], tuple[datetime, float]] = {}
        self._looked_s: float | None = None
        self._offset_s: float | None = None
        self._jumped_s: float | None = None
        self._began_s: float | None = None

    def see(self, now: datetime, monotonic_s: float) -> None:
        """Compare the two clocks; before anything else is asked at a look."""
        offset_s = now.timestamp() - monotonic_s
        if self._offset_s is not None and abs(offset_s - self._offset_s) > _JUMP_S:
            self._jumped_s = monotonic_s
        self._offset_s = offset_s
        self._began_s = monotonic_s if self._began_s is None else self._began_s

    def is_steady(self, monotonic_s: float, for_s: float, *, since_start: bool = False) -> bool:
        """Whether the wall clock did not jump in the last `for_s`; `since_start` also asks to have watched so long."""
        if since_start and (self._began_s is None or monotonic_s - self._began_s < for_s):
            return False
        return self._jumped_s is None or monotonic_s - self._jumped_s >= for_s

    def silent(self, beats: Sequence[Beat], now: datetime, monotonic_s: float) -> list[Beat]:
        """Those of `beats`, which are all there are, that are `stall_s` old."""
        # What was not there at the last look cannot be older than that, whatever the wall clocks say.
        most_s = math.inf if self._looked_s is None else monotonic_s - self._looked_s
        self._looked_s = monotonic_s
        made: dict[tuple[str, int], tuple[datetime, float]] = {}
        for beat in beats:
            key = (beat.job_id, beat.epoch)
            seen = self._made_s.get(key)
            if seen is None or seen[0] != beat.heartbeat_at:
                age_s = min(max(0.0, (now - beat.heartbeat_at).total_seconds()), most_s)
                seen = (beat.heartbeat_at, monotonic_s - age_s)
            made[key] = seen
        self._made_s = made
        return [beat for beat in beats if monotonic_s - made[beat.job_id, beat.epoch][1] >= self._stall_s]
