"""The issuer's keys in memory: when they are fetched, for how long they are used, who waits.

One fetch at a time, on a thread of its own, so that an issuer that hangs holds nothing else up. `plan` decides; `Jwks`
does it.
"""

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

from common.clock import Clock
from common.errors import DependencyFailed, Unauthorized
from common.security.tokens.fetch import TIMEOUT_S, FetchError
from common.security.tokens.form import Unverified
from common.security.tokens.jwk import Key, KeySet
from common.telemetry.logs import get_logger

log = get_logger("atoll.tokens")

EVERY_S = 60.0
"""Least time between two fetches, whatever tokens name: a caller can cause no more than one a minute."""
RETRY_S = 10.0
"""The same while there are no keys at all, and so no token can be checked."""
FRESH_S = 300.0
"""Age from which keys are fetched anew, beside the request that finds them so old."""
OLD_S = 600.0
"""Age from which a request waits for the new ones, so that a key that was withdrawn is not used after a quiet night."""
KEPT_S = 86_400.0
"""Age up to which keys are used while the issuer is away."""
WAITING = 256
"""Most requests that wait for a fetch; those beyond are told to try again."""
# Two calls, and the imports before the first one.
_PATIENCE_S = 2 * TIMEOUT_S + 5


class Step(Enum):
    USE = "use the key"
    USE_AND_FETCH = "use the key, and fetch anew meanwhile"
    FETCH = "fetch, and look again"
    UNKNOWN = "there is no such key"
    AWAY = "it cannot be told whether there is such a key"


@dataclass(frozen=True)
class Standing:
    """Where the keys stand. Times are monotonic, in seconds; None: never."""

    loaded_s: float | None = None
    tried_s: float | None = None
    failed: bool = False

    def wait_s(self, now_s: float) -> float:
        """Seconds until the issuer may be asked again."""
        if self.tried_s is None:
            return 0.0
        return max(0.0, self.tried_s + (EVERY_S if self.has_keys(now_s) else RETRY_S) - now_s)

    def has_keys(self, now_s: float) -> bool:
        return self.loaded_s is not None and now_s - self.loaded_s < KEPT_S


def plan(standing: Standing, *, found: bool, now_s: float) -> Step:
    """What to do for a token whose key is `found` among those in memory, or not. Pure."""
    may_fetch = standing.wait_s(now_s) == 0
    if not standing.has_keys(now_s):
        return Step.FETCH if may_fetch else Step.AWAY
    if not found:
        # While the issuer is away the key may be a new one of its own.
        return Step.FETCH if may_fetch else Step.AWAY if standing.failed else Step.UNKNOWN
    assert standing.loaded_s is not None  # noqa: S101 - has_keys
    age_s = now_s - standing.loaded_s
    if age_s < FRESH_S or not may_fetch:
        return Step.USE
    # An issuer that was away a minute ago makes nobody wait a second time.
    return Step.FETCH if age_s >= OLD_S and not standing.failed else Step.USE_AND_FETCH


class Jwks:
    """The keys of one issuer. Event loops and threads may share one.

    Parameters
    ----------
    fetch : asks the issuer; blocks; raises FetchError.
    """

    def __init__(self, fetch: Callable[[], KeySet], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = KeySet((), {})
        self._standing = Standing()
        self._flight: Future[None] | None = None
        self._waiting = 0
        # Grows when the keys change: what was verified with others before must be verified again.
        self.generation = 0

    async def key(self, token: Unverified) -> tuple[Key, int]:
        """The key that the token names, and the generation that it is of.

        Raises
        ------
        Unauthorized
            The issuer has no such key, or none that may sign tokens.
        DependencyFailed
            The issuer's keys cannot be had.
        """
        for has_waited in (False, True):
            with self._lock:
                now_s = self._clock.monotonic_s()
                key = self._keys.find(token.kid, token.algorithm)
                reason = self._keys.unusable.get(token.kid or "")
                step = plan(self._standing, found=key is not None or reason is not None, now_s=now_s)
                retry_s = self._standing.wait_s(now_s)
                generation = self.generation
                must_wait = step is Step.FETCH or (step in (Step.UNKNOWN, Step.AWAY) and self._flight is not None)
                if step in (Step.FETCH, Step.USE_AND_FETCH):
                    self._begin(now_s)
                flight = self._flight
            if not must_wait or has_waited or flight is None:
                break
            await self._wait_for(flight)
        if key is not None and step is not Step.AWAY:
            return key, generation
        if reason is not None and step is not Step.AWAY:
            raise Unauthorized(f"the token's key {reason}; ask its issuer for a token signed with another")
        if step is not Step.UNKNOWN:
            raise _away(retry_s)
        if token.kid is None:
            raise Unauthorized("the token does not say which of its issuer's keys has signed it (`kid`)")
        raise Unauthorized("the token was signed with a key that is not (or no longer) one of its issuer's")

    async def _wait_for(self, flight: "Future[None]") -> None:
        with self._lock:
            if self._waiting >= WAITING:
                raise _away(1)
            self._waiting += 1
        try:
            # A caller who hangs up cancels the waiting, not the fetch: it is marked as running.
            await asyncio.wait_for(asyncio.wrap_future(flight), _PATIENCE_S)
        except TimeoutError:
            raise _away(RETRY_S) from None
        finally:
            with self._lock:
                self._waiting -= 1

    def _begin(self, now_s: float) -> None:
        """Start a fetch, unless one is under way. The lock is held."""
        if self._flight is not None:
            return
        flight: Future[None] = Future()
        flight.set_running_or_notify_cancel()
        self._flight = flight
        self._standing = Standing(self._standing.loaded_s, now_s, self._standing.failed)
        threading.Thread(target=self._run, args=(flight,), name="fetch-token-keys", daemon=True).start()

    def _run(self, flight: "Future[None]") -> None:
        keys: KeySet | None = None
        try:
            keys = self._fetch()
        except FetchError as exc:
            log.warning("the keys of tokens cannot be fetched", error=str(exc)[:300])
        except Exception as exc:  # whatever it is, those who wait must not wait for ever
            log.error("the keys of tokens cannot be fetched", exc_info=exc)
        with self._lock:
            now_s = self._clock.monotonic_s()
            if keys is None:
                self._standing = Standing(self._standing.loaded_s, self._standing.tried_s, failed=True)
            else:
                if keys.sources != self._keys.sources:
                    self.generation += 1
                    log.info("keys of tokens", usable=len(keys.usable), unusable=dict(keys.unusable))
                self._keys = keys
                self._standing = Standing(now_s, self._standing.tried_s, failed=False)
            self._flight = None
        flight.set_result(None)


def _away(retry_s: float) -> DependencyFailed:
    wait_s = max(1, math.ceil(retry_s))
    return DependencyFailed(
        f"the token cannot be checked: its issuer's keys cannot be had now; try again in {wait_s} s",
        headers={"Retry-After": str(wait_s)},
    )
