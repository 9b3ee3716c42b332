"""The second level of the cache in Redis. Where it is slow or away, nothing is found there and nothing kept."""

import asyncio
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from common.redis import Away, RedisLink
from common.serving.second_level import SecondLevel
from common.telemetry import metrics

if TYPE_CHECKING:
    from redis.asyncio import Redis

# While Redis is slow no more than so much waits to be kept; the rest is kept in memory only.
_MAX_WAITING = 10_000

_Values = dict[bytes, tuple[bytes, float]]


class RedisCache(SecondLevel):
    """Values under their names, each with a time to live.

    Parameters
    ----------
    link : makes a link; each event loop has one of its own.
    """

    def __init__(self, link: Callable[[], RedisLink]) -> None:
        self._link = link
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OnLoop] = weakref.WeakKeyDictionary()
        metrics.know_redis()

    async def get(self, names: Sequence[bytes]) -> list[bytes | None]:
        return await self._here().get(names)

    def put(self, name: bytes, value: bytes, ttl_s: float) -> None:
        self._here().put(name, value, ttl_s)

    async def close(self) -> None:
        """Close the connections of the running event loop, once what waits is written."""
        found = self._loops.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.close()

    def _here(self) -> "_OnLoop":
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            found = self._loops[loop] = _OnLoop(self._link())
        return found


class _OnLoop:
    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._waiting: _Values = {}
        self._writing: asyncio.Task[None] | None = None

    async def get(self, names: Sequence[bytes]) -> list[bytes | None]:
        try:
            found: list[bytes | None] = await self._link.ask(partial(_find, names))
        except Away:
            metrics.REDIS_CALLS.labels("get", "away").inc()
            return [None] * len(names)
        metrics.REDIS_CALLS.labels("get", "done").inc()
        return found

    def put(self, name: bytes, value: bytes, ttl_s: float) -> None:
        if len(self._waiting) < _MAX_WAITING:
            self._waiting[name] = (value, ttl_s)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        if self._writing is not None:
            await self._writing
        await self._link.close()

    async def _write(self) -> None:
        """What comes while the last values are being written goes in one pipeline after them."""
        while self._waiting:
            values, self._waiting = self._waiting, {}
            try:
                await self._link.ask(partial(_keep, values))
            except Away:
                metrics.REDIS_CALLS.labels("put", "away").inc()
            else:
                metrics.REDIS_CALLS.labels("put", "done").inc()


async def _find(names: Sequence[bytes], client: "Redis") -> list[bytes | None]:
    # The client decodes nothing, which its types do not know.
    return cast("list[bytes | None]", await client.mget(names))


async def _keep(values: _Values, client: "Redis") -> None:
    pipeline = client.pipeline(transaction=False)
    for name, (value, ttl_s) in values.items():
        pipeline.set(name, value, px=max(1, int(ttl_s * 1000)))
    # A Redis that is full refuses to keep: that is no reason to leave it, reading goes on.
    await pipeline.execute(raise_on_error=False)
