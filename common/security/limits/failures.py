"""Failed authentications: how often one address may try credentials that are not good."""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Scope

from common.clock import Clock
from common.errors import TooManyRequests, Unauthorized
from common.security.limits.bucket import Rate
from common.security.limits.client import client_of
from common.security.limits.memory import MemoryBuckets
from common.security.principal import Principal
from common.telemetry import metrics

_GOOD_CREDENTIALS = 10_000
# At a start all callers behind one address show credentials that are not known yet, and most are good.
UNDER_WAY = 200
# A millionth of an attempt: the bucket's times are floats.
_EXACT = 1e-6


class FailedAttempts:
    """Stands between authentication and the verifiers, for credentials that these do not know from memory.

    Counted in this process alone: keys and tokens cannot be guessed; what is bounded is the work of refusing them.

    A credential that was good the last time is not counted, so that one wrong key behind an institution's address does
    not lock out the right ones. One that is being looked at is counted once: a page that asks for many things at once
    right after a start, while the keys are still read, shows the same one with each.

    One that is being looked at is no failure yet, for so many (`UNDER_WAY`) from an address. Those that turn out to be
    no good count all the same, so that `per_min` is not exceeded in the long run: after more the wait is longer.

    Parameters
    ----------
    per_min : failures a minute from one address, all of which may come one after the other at once; 0 for any.
    client : the address that a request comes from, as it is counted.
    """

    def __init__(self, per_min: int, client: Callable[[Scope], str] = client_of, clock: Clock | None = None) -> None:
        self._per_min = per_min
        self._client = client
        self._buckets = MemoryBuckets(Rate(per_min / 60, per_min + UNDER_WAY), clock) if per_min else None
        # Attempts that have taken a token and may give it back, by address.
        self._under_way: Counter[str] = Counter()
        # By hashes, which say nothing outside this process; the least recently used first.
        self._good: OrderedDict[int, None] = OrderedDict()
        self._looked_at: Counter[int] = Counter()

    async def verified(self, scope: Scope, credential: str, verify: Callable[[str], Awaitable[Principal]]) -> Principal:
        """`await verify(credential)`, unless too many from the same address were no good.

        Raises
        ------
        TooManyRequests
            The client has to wait, whatever the credential is worth; nothing was verified.
        """
        if self._buckets is None:
            return await verify(credential)
        client, key = self._client(scope), hash(credential)
        is_counted = key not in self._good and key not in self._looked_at
        if is_counted:
            # Taken before it is known to be a failure, or many tries at the same time would all pass.
            self._take(self._buckets, client)
        self._looked_at[key] += 1
        try:
            principal = await verify(credential)
        except Unauthorized:
            self._good.pop(key, None)
            raise
        except BaseException:
            # A database that is away says nothing about the credential.
            if is_counted:
                self._buckets.give_back(client)
            raise
        finally:
            _less(self._looked_at, key)
            if is_counted:
                _less(self._under_way, client)
        if is_counted:
            self._buckets.give_back(client)
        self._remember(key)
        return principal

    def _take(self, buckets: MemoryBuckets, client: str) -> None:
        verdict = buckets.take_now(client)
        wait_s = verdict.retry_after_s
        if verdict.allowed:
            failures = verdict.reset_s * buckets.rate.per_s - self._under_way[client]
            if failures <= self._per_min + _EXACT:
                self._under_way[client] += 1
                return
            buckets.give_back(client)
            wait_s = (failures - self._per_min) / buckets.rate.per_s
        if not self._under_way[client]:
            del self._under_way[client]
        metrics.LIMITED.labels("failures").inc()
        raise TooManyRequests(
            f"more than {self._per_min} failed authentications a minute from {client}; "
            "check the key or token, and wait as long as Retry-After says",
            retry_after_s=wait_s,
        )

    def _remember(self, key: int) -> None:
        self._good[key] = None
        self._good.move_to_end(key)
        if len(self._good) > _GOOD_CREDENTIALS:
            self._good.popitem(last=False)


def _less(counter: Counter[Any], key: object) -> None:
    """Count one less; what counts nothing needs no place."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
