"""Items are looked up, shared, computed and kept one by one."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common.errors import Unavailable
from common.serving.batcher import Batching, Outcome
from common.serving.cache import ByteCache
from common.serving.items import Asked, ItemServer, Kept


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as found:
        yield found


class Memory:
    """A second level in this process."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    async def get(self, names: Sequence[bytes]) -> list[bytes | None]:
        return [self.values.get(name) for name in names]

    def put(self, name: bytes, value: bytes, ttl_s: float) -> None:
        assert ttl_s > 0
        self.values[name] = value


class Shouter:
    """A model that gives texts back in capitals, and notes what it was asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.version = "1"

    def __call__(self, items: Sequence[str]) -> Sequence[Outcome]:
        self.seen += items
        self.begun.set()
        assert self.gate.wait(30)
        return [ValueError(item) if item == "bad" else (item.upper() + self.version).encode() for item in items]


Make = Callable[..., ItemServer[str]]


@pytest.fixture
def model() -> Shouter:
    return Shouter()


@pytest.fixture
def make(model: Shouter, executor: ThreadPoolExecutor) -> Make:
    def made(second: Memory | None = None, *, keeps: bool = True) -> ItemServer[str]:
        kept: Kept[str] | None = Kept(str.encode, prefix="shouts") if keeps else None
        how: Batching[str] = Batching(model)
        return ItemServer(
            "shouter",
            how,
            version=lambda: model.version,
            kept=kept,
            cache=ByteCache(1_000_000),
            second=second,
            executor=executor,
            lanes=1,
        )

    return made


def asks(server: ItemServer[str], *items: str, **asked: Any) -> tuple[list[bytes], str]:
    found = asyncio.run(asyncio.wait_for(server.predict(items, Asked(**asked)), 60))
    return found.outcomes, found.cache


def test_any_mixture_of_known_items_is_a_hit(make: Make, model: Shouter) -> None:
    server = make()
    assert asks(server, "a", "b", "c") == ([b"A1", b"B1", b"C1"], "miss")
    assert asks(server, "c", "a", "a") == ([b"C1", b"A1", b"A1"], "hit")
    assert asks(server, "d", "b") == ([b"D1", b"B1"], "partial")
    assert sorted(model.seen) == ["a", "b", "c", "d"]


def test_an_item_given_twice_is_computed_once(make: Make, model: Shouter) -> None:
    assert asks(make(), "a", "b", "a")[0] == [b"A1", b"B1", b"A1"]
    assert sorted(model.seen) == ["a", "b"]


def test_no_items_are_no_work(make: Make, model: Shouter) -> None:
    assert asks(make()) == ([], "hit")
    assert asks(make(keeps=False))[0] == []
    assert model.seen == []


def test_a_model_that_keeps_nothing_computes_each_time(make: Make, model: Shouter) -> None:
    server = make(keeps=False)
    assert asks(server, "a", "a") == ([b"A1", b"A1"], "miss")
    assert asks(server, "a")[1] == "miss"
    assert model.seen == ["a", "a", "a"]


def test_equal_items_at_the_same_time_are_computed_once(make: Make, model: Shouter) -> None:
    server = make()
    model.gate.clear()

    async def main() -> list[bytes]:
        tasks = [asyncio.ensure_future(server.predict(["a", str(n)], Asked())) for n in range(20)]
        await asyncio.sleep(0.05)
        model.gate.set()
        return [(await task).outcomes[0] for task in tasks]

    assert asyncio.run(main()) == [b"A1"] * 20
    assert model.seen.count("a") == 1


def test_a_caller_that_leaves_does_not_take_the_others_outcome_along(make: Make, model: Shouter) -> None:
    server = make()
    model.gate.clear()

    async def main() -> bytes:
        first = asyncio.ensure_future(server.predict(["a"], Asked()))
        second = asyncio.ensure_future(server.predict(["a"], Asked()))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.sleep(0.02)
        model.gate.set()
        return (await second).outcomes[0]

    assert asyncio.run(main()) == b"A1"
    assert model.seen == ["a"]


def test_an_item_that_everybody_has_left_is_not_begun(make: Make, model: Shouter) -> None:
    server = make()
    model.gate.clear()

    async def main() -> None:
        first = asyncio.ensure_future(server.predict(["a"], Asked()))
        await asyncio.to_thread(model.begun.wait, 30)
        left = asyncio.ensure_future(server.predict(["b"], Asked()))
        await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.wait([left])
        model.gate.set()
        await first
        await server.predict(["c"], Asked())

    asyncio.run(main())
    assert model.seen == ["a", "c"]


def test_no_cache_computes_anew_and_no_store_keeps_nothing(make: Make, model: Shouter) -> None:
    server = make()
    assert asks(server, "a", keep=False, fresh=True)[1] == "miss"
    assert asks(server, "a")[1] == "miss"
    assert asks(server, "a", fresh=True)[1] == "miss"
    assert asks(server, "a")[1] == "hit"
    assert model.seen == ["a"] * 3


def test_another_version_finds_nothing_of_the_old_one(make: Make, model: Shouter) -> None:
    server = make(Memory())
    assert asks(server, "a")[0] == [b"A1"]
    model.version = "2"
    assert asks(server, "a") == ([b"A2"], "miss")
    model.version = "1"
    assert asks(server, "a") == ([b"A1"], "hit")


def test_an_outcome_during_a_change_of_version_is_not_kept(make: Make, model: Shouter) -> None:
    server = make()
    model.gate.clear()

    async def main() -> None:
        task = asyncio.ensure_future(server.predict(["a"], Asked()))
        await asyncio.to_thread(model.begun.wait, 30)
        model.version = "2"
        model.gate.set()
        await task

    asyncio.run(main())
    model.version = "1"
    assert asks(server, "a")[1] == "miss"


def test_what_fails_is_told_and_not_kept(make: Make, model: Shouter) -> None:
    server = make(Memory())
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            asks(server, "a", "bad")
    assert model.seen.count("bad") == 2
    assert asks(server, "a")[1] == "hit"


def test_the_second_level_answers_for_other_processes(make: Make, model: Shouter) -> None:
    shared = Memory()
    assert asks(make(shared), "a", "b")[1] == "miss"
    assert all(name.startswith(b"shouts:") for name in shared.values)
    other = make(shared)
    assert asks(other, "b", "c") == ([b"B1", b"C1"], "partial")
    assert asks(other, "b")[1] == "hit"
    assert sorted(model.seen) == ["a", "b", "c"]


def test_a_caller_waits_no_longer_than_its_deadline(make: Make, model: Shouter) -> None:
    server = make()
    model.gate.clear()

    async def main() -> None:
        patient = asyncio.ensure_future(server.predict(["a"], Asked()))
        with pytest.raises(Unavailable, match="X-Timeout-Ms"):
            await server.predict(["a"], Asked(deadline_s=time.monotonic() + 0.02))
        model.gate.set()
        assert (await patient).outcomes == [b"A1"]

    asyncio.run(main())
