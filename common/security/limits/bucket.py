"""The token bucket. Pure: whoever keeps buckets gives the time.

A bucket holds `burst` tokens, is refilled with `per_s` a second, and a request takes one. It is kept as one number,
the time at which it will be full again ("generic cell rate algorithm", ITU-T I.371): a bucket that is full needs no
place in memory, and forgetting it gives nobody anything.
"""

import math
from dataclasses import dataclass

# A microsecond: times are floats of seconds since 1970, which are not exact beyond that.
_EXACT_S = 1e-6


@dataclass(frozen=True, slots=True)
class Rate:
    """What is allowed.

    Parameters
    ----------
    per_s : tokens a second, more than 0.
    burst : tokens that a full bucket holds, at least 1.
    """

    per_s: float
    burst: int

    @property
    def fill_s(self) -> float:
        """Seconds in which an empty bucket becomes full."""
        return self.burst / self.per_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request.

    Parameters
    ----------
    remaining : tokens that are left.
    retry_after_s : seconds until there is a token; 0 where this request got one.
    reset_s : seconds until the bucket is full, if nothing more is taken.
    """

    allowed: bool
    remaining: int
    retry_after_s: float
    reset_s: float


def take(full_at: float, now: float, rate: Rate) -> tuple[float, Verdict]:
    """Take a token at `now` from the bucket that is full at `full_at`; when it is full then, and the verdict.

    A refused request takes nothing, so that whoever goes on asking too early is not kept out for ever.
    """
    # A clock that was set back must not lock a caller out for longer than an empty bucket does.
    full_at = min(max(full_at, now), now + rate.fill_s)
    after = full_at + 1 / rate.per_s
    lacking_s = after - now - rate.fill_s
    if lacking_s > _EXACT_S:
        return full_at, Verdict(False, 0, lacking_s, full_at - now)
    remaining = math.floor((rate.fill_s - (after - now) + _EXACT_S) * rate.per_s)
    return after, Verdict(True, max(0, remaining), 0.0, after - now)


def give_back(full_at: float, rate: Rate) -> float:
    """When a bucket is full to which a token is given back; more than full it never is."""
    return full_at - 1 / rate.per_s
