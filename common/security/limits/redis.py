"""Buckets in Redis, which all processes share; in this process's memory while Redis is slow or away.

No request waits for a connection: one is made in the background, and until it is there, and after anything goes wrong,
memory answers. So Redis costs a request a few milliseconds at worst, and never an error.
"""

import asyncio
import contextvars
import hashlib
import random
from typing import TYPE_CHECKING, Any

from common.clock import Clock, SystemClock
from common.security.limits.bucket import Rate, Verdict
from common.security.limits.memory import MemoryBuckets
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger("atoll.limits")

# `take` of `bucket.py` in one step, by the server's clock, in microseconds: numbers of Lua hold whole ones exactly.
# The key goes when its bucket is full.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step = tonumber(ARGV[1])
local fill = tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
full = math.min(math.max(full, now), now + fill)
local after = full + step
if after - now - fill > 1 then
  return {0, string.format('%.0f', after - now - fill), string.format('%.0f', full - now)}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {1, string.format('%.0f', fill - (after - now)), string.format('%.0f', after - now)}
"""
# Redis answers in less than one millisecond from the next machine; a request does not wait much longer.
_PATIENCE_S = 0.02
_CONNECT_S = 2.0
_CONNECTIONS = 8
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
# A few slow answers are a hiccup, of this process too.
_SLOW_IN_A_ROW = 3
_REFUSED = 10_000


class RedisBuckets:
    """As `MemoryBuckets`, shared by all processes that use the same Redis.

    Parameters
    ----------
    url : as redis-py takes it; with the password, so not for logs.
    name : tells the buckets of one purpose from those of another.
    """

    def __init__(
        self,
        url: str,
        rate: Rate,
        clock: Clock | None = None,
        *,
        name: str = "rate",
        patience_s: float = _PATIENCE_S,
        pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self.rate = rate
        self.memory = MemoryBuckets(rate, clock)
        self._url = url
        self._name = name
        self._patience_s = patience_s
        self._monotonic_s = (clock or SystemClock()).monotonic_s
        step_us = 1_000_000 / rate.per_s
        self._arguments = (f"{step_us:.3f}", f"{step_us * rate.burst:.3f}")
        self._first_pause_s = self._pause_s = pause_s
        self._try_at_s = self._monotonic_s()
        self._slow = 0
        # Caller -> when there is a token, and when the bucket is full. Until then nothing can change in Redis, so that
        # a flood costs it nothing.
        self._refused: dict[str, tuple[float, float]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Redis | None = None
        self._sha = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()
        self._connecting: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Redis is asked at the moment."""
        return self._client is not None

    async def take(self, caller: str) -> Verdict:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop that made them.
            self._loop, self._client, self._connecting = loop, None, None
        client = self._client
        if client is None:
            self._connect_soon(loop)
            return self.memory.take_now(caller)
        held = self._held(caller)
        if held is not None:
            return held
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._ask(client, caller)
        except TimeoutError:
            self._slow += 1
            if self._slow >= _SLOW_IN_A_ROW:
                self._leave(client, "too slow")
        # Whatever it is, a request is not refused for it.
        except Exception as exc:  # noqa: BLE001
            self._leave(client, type(exc).__name__)
        else:
            self._slow = 0
            return self._verdict(caller, answer)
        return self.memory.take_now(caller)

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        client, self._client = self._client, None
        if self._connecting is not None:
            self._connecting.cancel()
        if client is not None:
            await client.aclose()

    async def _ask(self, client: "Redis", caller: str) -> Any:
        # Short, and not to be read by whoever looks into Redis.
        key = f"atoll:{self._name}:{hashlib.blake2b(caller.encode(), digest_size=12).hexdigest()}"
        return await client.evalsha(self._sha, 1, key, *self._arguments)

    def _held(self, caller: str) -> Verdict | None:
        """The refusal of a caller who was refused and has not waited as long as told."""
        if caller not in self._refused:
            return None
        until_s, full_s = self._refused[caller]
        now_s = self._monotonic_s()
        if now_s < until_s:
            return Verdict(False, 0, until_s - now_s, full_s - now_s)
        del self._refused[caller]
        return None

    def _verdict(self, caller: str, answer: Any) -> Verdict:
        allowed, left_us, reset_us = (int(number) for number in answer)
        if not allowed:
            if len(self._refused) >= _REFUSED:
                self._refused.clear()
            now_s = self._monotonic_s()
            self._refused[caller] = now_s + left_us / 1e6, now_s + reset_us / 1e6
            return Verdict(False, 0, left_us / 1e6, reset_us / 1e6)
        return Verdict(True, int((left_us + 1) * self.rate.per_s / 1e6), 0.0, reset_us / 1e6)

    def _connect_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._connecting is None and self._monotonic_s() >= self._try_at_s:
            # Not as a part of the request that happens to be there, whose id would stand in the log.
            self._connecting = loop.create_task(self._connect(), context=contextvars.Context())

    async def _connect(self) -> None:
        client = None
        try:
            # Importing takes a tenth of a second.
            client = await asyncio.to_thread(_make_client, self._url)
            async with asyncio.timeout(_CONNECT_S):
                # Loads the script too: a Redis that was restarted has lost it.
                await client.script_load(_TAKE)
        except Exception as exc:  # noqa: BLE001  # as above
            if client is not None:
                await _close(client)
            self._wait(type(exc).__name__)
        else:
            self._client, self._slow, self._pause_s = client, 0, self._first_pause_s
            log.info("redis is used for limits")
        finally:
            self._connecting = None

    def _leave(self, client: "Redis", reason: str) -> None:
        if self._client is client:
            self._client = None
            self._wait(reason)
            # The connections of requests under way end with their requests.
            self._connecting = asyncio.get_running_loop().create_task(self._closed(client))

    async def _closed(self, client: "Redis") -> None:
        try:
            await _close(client)
        finally:
            self._connecting = None

    def _wait(self, reason: str) -> None:
        # Not all processes at the same moment.
        self._try_at_s = self._monotonic_s() + self._pause_s * random.uniform(0.5, 1)
        log.warning("redis cannot be used; this process counts for itself", reason=reason, pause_s=self._pause_s)
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)


def _make_client(url: str) -> "Redis":
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_CONNECT_S,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_CONNECT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


async def _close(client: "Redis") -> None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            await client.aclose()
    except Exception as exc:  # noqa: BLE001  # it is gone either way
        log.debug("redis connection cannot be closed", reason=type(exc).__name__)
