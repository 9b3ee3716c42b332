"""Buckets in this process's memory, of bounded number."""

from collections import OrderedDict

from common.clock import Clock, SystemClock
from common.security.limits.bucket import Rate, Verdict, give_back, take

# About 10 MB. With a bucket that fills in seconds, more callers than a process can answer in that time.
MAX_CALLERS = 50_000
_SHARED = 4096
# Looked at for each new caller: more than one, so that a table that has grown shrinks again.
_SWEPT = 2


class MemoryBuckets:
    """One bucket a caller, all with the same rate.

    Only full buckets are forgotten, which changes nothing for their callers: nobody gets a new bucket by calling from
    so many addresses that his old one is dropped. While all places are taken by buckets in use, further callers share
    buckets (`_SHARED` of them, chosen by a hash that cannot be guessed), so that memory does not grow either.

    Not for more than one thread at once: an event loop's.
    """

    def __init__(self, rate: Rate, clock: Clock | None = None, *, max_callers: int = MAX_CALLERS) -> None:
        self.rate = rate
        self._monotonic_s = (clock or SystemClock()).monotonic_s
        self._max_callers = max_callers
        # The least recently used first.
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._shared: dict[int, float] = {}

    def __len__(self) -> int:
        """Buckets kept."""
        return len(self._full_at) + len(self._shared)

    async def take(self, caller: str) -> Verdict:
        return self.take_now(caller)

    def take_now(self, caller: str) -> Verdict:
        """Take a token from the caller's bucket."""
        now = self._monotonic_s()
        full_at = self._full_at.get(caller)
        if full_at is None:
            self._sweep(now)
            if len(self._full_at) >= self._max_callers:
                place = hash(caller) % _SHARED
                self._shared[place], verdict = take(self._shared.get(place, now), now, self.rate)
                return verdict
            full_at = now
        else:
            self._full_at.move_to_end(caller)
        self._full_at[caller], verdict = take(full_at, now, self.rate)
        return verdict

    def give_back(self, caller: str) -> None:
        """Give back a token that turned out not to be needed."""
        full_at = self._full_at.get(caller)
        if full_at is not None:
            self._full_at[caller] = give_back(full_at, self.rate)

    def _sweep(self, now: float) -> None:
        # A bucket that was not used for as long as an empty one takes to fill is full, so the first are full first.
        for _ in range(_SWEPT):
            if not self._full_at:
                return
            caller, full_at = next(iter(self._full_at.items()))
            if full_at > now:
                return
            del self._full_at[caller]
