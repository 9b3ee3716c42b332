"""What Redis is for, and what happens without it."""

import asyncio
import socket

import pytest

from common.security.limits.bucket import Rate
from common.security.limits.redis import RedisBuckets
from tests.common.security.limits.test_buckets import SLOW, connected, times
from tests.support.clients import until
from tests.support.redis_server import RedisServer
from tests.support.servers import free_port


def buckets(server: RedisServer, rate: Rate = SLOW, **more: float) -> RedisBuckets:
    return RedisBuckets(server.url, rate, **{"patience_s": 10.0, "pause_s": 0.01, **more})  # type: ignore[arg-type]


def test_processes_share_a_callers_bucket(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        one, other = buckets(own_redis), buckets(own_redis)
        await connected(one)
        await connected(other)
        await times(one, 3)
        assert [verdict.allowed for verdict in await times(other, 3)] == [True, True, False]
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_what_is_in_redis_goes_once_the_bucket_is_full(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        kept = buckets(own_redis, Rate(per_s=100, burst=5))
        await connected(kept)
        await times(kept, 5)
        assert kept.link.client is not None
        client = kept.link.client
        async with asyncio.timeout(30):
            while await client.keys("*"):  # noqa: ASYNC110 - it is Redis that does something
                await asyncio.sleep(0.01)
        await kept.close()

    asyncio.run(scenario())


def test_a_redis_that_vanishes_is_not_noticed_but_for_the_count(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        kept = buckets(own_redis)
        await connected(kept)
        await times(kept, 5)
        own_redis.stop()
        # A new count: that of this process.
        assert [verdict.allowed for verdict in await times(kept, 6)] == [True] * 5 + [False]
        assert not kept.is_connected
        await kept.close()

    asyncio.run(scenario())


def test_a_redis_that_comes_back_is_used_again(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        kept = buckets(own_redis)
        await connected(kept)
        own_redis.stop()
        await times(kept, 6)
        own_redis.start()
        async with asyncio.timeout(30):
            while not kept.is_connected:
                await kept.take("key:other")
                await asyncio.sleep(0.01)
        # Restarted, it has lost the script and the count.
        assert (await kept.take("key:a")).remaining == 4
        await kept.close()

    asyncio.run(scenario())


def test_a_redis_that_does_not_answer_is_left_after_a_few_requests(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        kept = buckets(own_redis, patience_s=0.02)
        await connected(kept)
        own_redis.freeze()
        assert all(verdict.allowed for verdict in await times(kept, 3))
        assert not kept.is_connected
        await kept.close()

    asyncio.run(scenario())
    own_redis.thaw()


def test_a_caller_who_is_refused_costs_redis_nothing_until_there_is_a_token(own_redis: RedisServer) -> None:
    async def scenario() -> None:
        kept = buckets(own_redis)
        await connected(kept)
        assert not (await times(kept, 6))[-1].allowed
        own_redis.freeze()
        assert not any(verdict.allowed for verdict in await times(kept, 10))
        assert kept.is_connected
        own_redis.thaw()
        await kept.close()

    asyncio.run(scenario())


def test_a_server_that_takes_connections_and_says_nothing_keeps_nobody_waiting() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            kept = RedisBuckets(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", SLOW)
            # None of these waits for the connection, which takes two seconds to fail.
            assert [verdict.allowed for verdict in await times(kept, 6)] == [True] * 5 + [False]
            assert kept.link.is_connecting
            await kept.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{port}/0", "redis://no-such-host.invalid/0", "redis://[::1", "redis://127.0.0.1:99999/0"]
)
def test_whatever_is_wrong_with_the_address_requests_are_counted(url: str) -> None:
    async def scenario() -> None:
        kept = RedisBuckets(url.format(port=free_port()), SLOW)
        assert (await kept.take("key:a")).allowed
        await until(lambda: not kept.link.is_connecting)
        assert [verdict.allowed for verdict in await times(kept, 5)] == [True] * 4 + [False]
        await kept.close()

    asyncio.run(scenario())


def test_tries_to_connect_become_rarer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[float]:
        kept = RedisBuckets(f"redis://127.0.0.1:{free_port()}/0", SLOW, pause_s=0.001)
        pauses = []
        for _ in range(4):
            before = kept.link.pause_s
            pauses.append(before)
            async with asyncio.timeout(30):
                while kept.link.pause_s == before:
                    await kept.take("key:a")
                    await asyncio.sleep(0.001)
        await kept.close()
        return pauses

    assert asyncio.run(scenario()) == [0.001, 0.002, 0.004, 0.008]


def test_an_event_loop_that_ended_leaves_nothing_to_the_next_one(own_redis: RedisServer) -> None:
    kept = buckets(own_redis)

    async def scenario() -> None:
        await connected(kept)
        assert (await kept.take("key:a")).allowed
        await kept.close()

    asyncio.run(scenario())
    asyncio.run(scenario())
