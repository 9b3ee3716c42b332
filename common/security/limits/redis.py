"""Buckets in Redis, which all processes share; in this process's memory while Redis is slow or away.

See `common.redis` for why no request waits for a connection, and none fails.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from common.clock import Clock, SystemClock
from common.redis import PATIENCE_S, PAUSE_S, Away, RedisLink
from common.security.limits.bucket import Rate, Verdict
from common.security.limits.memory import MemoryBuckets

if TYPE_CHECKING:
    from redis.asyncio import Redis

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
        patience_s: float = PATIENCE_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.rate = rate
        self.memory = MemoryBuckets(rate, clock)
        self._name = name
        self._monotonic_s = (clock or SystemClock()).monotonic_s
        step_us = 1_000_000 / rate.per_s
        self._arguments = (f"{step_us:.3f}", f"{step_us * rate.burst:.3f}")
        # A Redis that was restarted has lost the script.
        self.link = RedisLink(
            url, "limits", lambda client: client.script_load(_TAKE), clock, patience_s=patience_s, pause_s=pause_s
        )
        # Caller -> when there is a token, and when the bucket is full. Until then nothing can change in Redis, so that
        # a flood costs it nothing.
        self._refused: dict[str, tuple[float, float]] = {}
        self._sha = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()

    @property
    def is_connected(self) -> bool:
        """Whether Redis is asked at the moment."""
        return self.link.is_connected

    async def take(self, caller: str) -> Verdict:
        held = self._held(caller) if self.is_connected else None
        if held is not None:
            return held
        try:
            answer = await self.link.ask(lambda client: self._ask(client, caller))
        except Away:
            return self.memory.take_now(caller)
        return self._verdict(caller, answer)

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        await self.link.close()

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
