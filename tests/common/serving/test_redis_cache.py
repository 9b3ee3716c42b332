"""The cache in a real Redis: found by other processes, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis

from common.redis import RedisLink
from common.serving.redis_cache import RedisCache
from tests.support.redis_server import RedisServer
from tests.support.redis_server import redis_server as a_redis_server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with a_redis_server() as server:
        yield server


@asynccontextmanager
async def cache(url: str) -> AsyncIterator[RedisCache]:
    found = RedisCache(lambda: RedisLink(url, "test", pause_s=0.01))
    try:
        yield found
    finally:
        await found.close()


async def use(found: RedisCache) -> None:
    """Ask until Redis keeps and finds."""
    async with asyncio.timeout(30):
        while await found.get([b"greeting"]) != [b"hello"]:
            found.put(b"greeting", b"hello", 60)
            await asyncio.sleep(0.01)


def on_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(main())


def set_memory(server: RedisServer, most_bytes: int) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", most_bytes)


def test_what_one_process_keeps_another_finds(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url) as one, cache(server.url) as other:
            await use(one)
            one.put(b"a:1", b"first", 60)
            one.put(b"a:2", b"second", 60)
            await asyncio.sleep(0.05)
            await use(other)
            assert await other.get([b"a:2", b"nothing", b"a:1"]) == [b"second", None, b"first"]

    on_loop(work)


def test_a_value_is_forgotten_after_its_time(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url) as found:
            await use(found)
            found.put(b"short", b"value", 0.3)
            seen: list[bytes | None] = []
            while b"value" not in seen or seen[-1] is not None:
                seen += await found.get([b"short"])
                await asyncio.sleep(0.01)

    on_loop(work)


def test_a_redis_that_goes_away_is_done_without_and_used_again_when_it_is_back(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url) as found:
            await use(found)
            server.stop()
            for number in range(20):
                assert await found.get([b"greeting"]) == [None]
                found.put(b"%d" % number, b"lost", 60)
            server.start()
            await use(found)

    on_loop(work)


def test_a_redis_that_hangs_keeps_nobody_waiting(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url) as found:
            await use(found)
            server.freeze()
            try:
                for _ in range(50):
                    assert await found.get([b"greeting"]) == [None]
            finally:
                server.thaw()
            await use(found)

    on_loop(work)


def test_a_wrong_password_is_as_no_redis(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url.replace("redis://", "redis://nobody:wrong@")) as found:
            for _ in range(10):
                found.put(b"a", b"b", 60)
                assert await found.get([b"a"]) == [None]
                await asyncio.sleep(0.01)

    on_loop(work)


def test_a_redis_that_is_full_is_still_read(server: RedisServer) -> None:
    async def work() -> None:
        async with cache(server.url) as found:
            await use(found)
            set_memory(server, 1)
            found.put(b"more", b"value", 60)
            await asyncio.sleep(0.05)
            assert await found.get([b"greeting", b"more"]) == [b"hello", None]

    on_loop(work)
