"""The limits that the settings ask for."""

import math
from collections.abc import Callable
from functools import partial

from starlette.types import Scope

from common.security.anonymous import is_loopback
from common.security.limits.bucket import Rate
from common.security.limits.client import client_of
from common.security.limits.failures import FailedAttempts
from common.security.limits.memory import MemoryBuckets
from common.security.limits.middleware import Buckets
from common.security.limits.redis import RedisBuckets
from common.settings import Settings

_PER_S, _FAILURES_PER_MIN, _JOBS = 50.0, 30, 1000
# A page that loads asks for dozens of things at once.
_BURST_S = 2


def only_here(settings: Settings) -> bool:
    """Whether only this machine can call: nobody needs to be kept from anybody."""
    return is_loopback(settings.http.host) and settings.security.functions_runtime is None


def buckets_of(settings: Settings) -> Buckets | None:
    """Where requests are counted; None where any number is allowed."""
    limits = settings.limits
    per_s = limits.rate_per_s
    if per_s is None:
        per_s = 0.0 if only_here(settings) else _PER_S
    if not per_s:
        return None
    rate = Rate(per_s, limits.burst or max(1, math.ceil(per_s * _BURST_S)))
    url = settings.redis.url
    return MemoryBuckets(rate) if url is None else RedisBuckets(url.get_secret_value(), rate)


def failures_of(settings: Settings) -> FailedAttempts:
    """What authentication asks."""
    per_min = settings.limits.failures_per_min
    if per_min is None:
        per_min = 0 if only_here(settings) else _FAILURES_PER_MIN
    return FailedAttempts(per_min, address_of(settings))


def jobs_per_owner(settings: Settings) -> int:
    """Jobs of one owner that may wait or run at once; 0 for any."""
    found = settings.limits.jobs_per_owner
    if found is None:
        return 0 if only_here(settings) else _JOBS
    return found


def address_of(settings: Settings) -> Callable[[Scope], str]:
    """`client_of` with the settings' proxies."""
    on_platform = settings.security.functions_runtime is not None
    return partial(client_of, trusted=settings.limits.trusted_proxies, on_platform=on_platform)
