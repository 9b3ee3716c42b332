"""What is the same wherever buckets are kept: in memory, and in Redis."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from common.security.limits.bucket import Rate, Verdict
from common.security.limits.memory import MemoryBuckets
from common.security.limits.middleware import Buckets
from common.security.limits.redis import RedisBuckets
from tests.support.clients import until
from tests.support.redis_server import RedisServer

# Refilled so slowly that the time a test takes adds nothing.
SLOW = Rate(per_s=0.001, burst=5)
Scenario = Callable[[Buckets], Awaitable[None]]
_names = (f"test-{number}" for number in itertools.count())


@pytest.fixture(params=["memory", "redis"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a scenario with new buckets."""

    def run_it(scenario: Scenario, rate: Rate = SLOW) -> None:
        async def in_memory() -> None:
            await scenario(MemoryBuckets(rate))

        async def in_redis() -> None:
            server: RedisServer = request.getfixturevalue("shared_redis")
            # A test is not about speed: it waits as long as the machine takes.
            buckets = RedisBuckets(server.url, rate, name=next(_names), patience_s=10)
            await connected(buckets)
            await scenario(buckets)
            assert buckets.is_connected
            assert len(buckets.memory) == 1
            await buckets.close()

        asyncio.run(in_memory() if request.param == "memory" else in_redis())

    return run_it


async def connected(buckets: RedisBuckets) -> None:
    """Let it connect, at the cost of a token of a bucket in memory."""
    await buckets.take("whoever makes it connect")
    await until(lambda: buckets.is_connected)


async def times(buckets: Buckets, number: int, caller: str = "key:a") -> list[Verdict]:
    return [await buckets.take(caller) for _ in range(number)]


def test_a_burst_passes_and_the_next_request_does_not(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        verdicts = await times(buckets, 7)
        assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False] * 2
        assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0, 0]

    run(scenario)


def test_callers_have_buckets_of_their_own(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        await times(buckets, 6, "key:a")
        assert (await buckets.take("key:b")).remaining == 4

    run(scenario)


def test_of_many_at_the_same_time_no_more_than_the_burst_pass(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        verdicts = await asyncio.gather(*(buckets.take("key:a") for _ in range(100)))
        assert sum(verdict.allowed for verdict in verdicts) == 5

    run(scenario)


def test_whoever_waits_as_long_as_told_passes(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        await buckets.take("key:a")
        refused = await buckets.take("key:a")
        assert not refused.allowed
        await asyncio.sleep(refused.retry_after_s)
        assert (await buckets.take("key:a")).allowed

    run(scenario, Rate(per_s=2, burst=1))


def test_refused_requests_do_not_put_off_the_next_token(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        first = (await times(buckets, 6))[-1]
        last = (await times(buckets, 50))[-1]
        assert last.retry_after_s <= first.retry_after_s

    run(scenario)


def test_reset_tells_when_the_bucket_is_full(run: Callable[..., None]) -> None:
    async def scenario(buckets: Buckets) -> None:
        (first, *_, last) = await times(buckets, 5)
        assert first.reset_s == pytest.approx(1000, rel=0.01)
        assert last.reset_s == pytest.approx(5000, rel=0.01)

    run(scenario)


@pytest.mark.parametrize("caller", ["", "oidc:ü€\U0001f600", "x" * 10_000, "a\r\nFLUSHALL\r\n"])
def test_any_text_names_a_caller(run: Callable[..., None], caller: str) -> None:
    async def scenario(buckets: Buckets) -> None:
        assert [verdict.allowed for verdict in await times(buckets, 6, caller)] == [True] * 5 + [False]

    run(scenario)
