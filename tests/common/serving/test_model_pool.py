"""The pool of open versions, over models that take no memory but say they do."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from common.errors import Busy, ModelUnavailable, Unavailable
from common.serving import model_pool
from common.serving.model_pool import ModelPool
from common.telemetry import metrics

MB = 1_000_000


class FakeModel:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_busy = False


@dataclass
class FakeLoader:
    """Loads once it may; counts how often it had to."""

    name: str
    size: int = MB
    error: BaseException | None = None
    may_load: threading.Event = field(default_factory=threading.Event)
    loads: int = 0

    def __post_init__(self) -> None:
        self.may_load.set()

    def size_bytes(self) -> int:
        return self.size

    def load(self) -> FakeModel:
        self.may_load.wait(10)
        self.loads += 1
        if self.error is not None:
            raise self.error
        return FakeModel(self.name)


@contextmanager
def pool_of(budget_bytes: int, threads: int = 1) -> Iterator[ModelPool[FakeModel]]:
    pool: ModelPool[FakeModel] = ModelPool(budget_bytes, threads)
    yield pool
    pool.close()


def load(pool: ModelPool[FakeModel], name: str, size: int = MB) -> FakeModel:
    return pool.begin(name, FakeLoader(name, size)).result(10)


def test_however_many_ask_at_once_a_version_is_loaded_once() -> None:
    async def ask(pool: ModelPool[FakeModel], loader: FakeLoader) -> list[FakeModel]:
        asked = [asyncio.create_task(pool.get("a", loader)) for _ in range(50)]
        await asyncio.sleep(0.05)
        loader.may_load.set()
        return await asyncio.gather(*asked)

    with pool_of(10 * MB) as pool:
        loader = FakeLoader("a")
        loader.may_load.clear()
        found = asyncio.run(ask(pool, loader))
        assert loader.loads == 1
        assert len({id(model) for model in found}) == 1
        assert pool.peek("a") is found[0]


def test_a_caller_that_leaves_does_not_take_the_load_along() -> None:
    async def leave(pool: ModelPool[FakeModel], loader: FakeLoader) -> FakeModel:
        one = asyncio.create_task(pool.get("a", loader))
        other = asyncio.create_task(pool.get("a", loader))
        await asyncio.sleep(0.05)
        one.cancel()
        loader.may_load.set()
        return await other

    with pool_of(10 * MB) as pool:
        loader = FakeLoader("a")
        loader.may_load.clear()
        assert asyncio.run(leave(pool, loader)).name == "a"


def test_what_was_not_used_for_longest_goes_when_the_budget_is_full() -> None:
    with pool_of(3 * MB) as pool:
        for name in ("a", "b", "c"):
            load(pool, name)
        pool.peek("a")
        before = metrics.MODEL_POOL_EVICTIONS._value.get()
        load(pool, "d")
        assert pool.keys == ["c", "a", "d"]
        assert metrics.MODEL_POOL_EVICTIONS._value.get() == before + 1
        assert pool.taken_bytes == 3 * MB


def test_as_many_go_as_a_large_one_needs() -> None:
    with pool_of(4 * MB) as pool:
        for name in ("a", "b", "c", "d"):
            load(pool, name)
        load(pool, "large", 3 * MB)
        assert pool.keys == ["d", "large"]


def test_a_pinned_version_stays() -> None:
    with pool_of(2 * MB) as pool:
        load(pool, "a")
        pool.pin("a")
        load(pool, "b")
        load(pool, "c")
        assert pool.keys == ["a", "c"]
        pool.unpin("a")
        load(pool, "d")
        assert pool.keys == ["c", "d"]


def test_a_version_that_was_put_out_is_counted_until_nobody_holds_it() -> None:
    with pool_of(2 * MB) as pool:
        held = load(pool, "a")
        load(pool, "b")
        load(pool, "c")
        # Of the two that are open, and the one that is held.
        assert pool.taken_bytes == 3 * MB
        assert held.name == "a"
        del held
        gc.collect()
        assert pool.taken_bytes == 2 * MB


def test_where_all_are_answering_a_load_is_refused_and_says_when_to_come_again() -> None:
    with pool_of(2 * MB) as pool:
        models = [load(pool, "a"), load(pool, "b")]
        for model in models:
            model.is_busy = True
        with pytest.raises(Unavailable) as refused:
            load(pool, "c")
        assert refused.value.headers["Retry-After"] == "1"
        assert pool.keys == ["a", "b"]
        models[0].is_busy = False
        del models, model
        assert load(pool, "c").name == "c"
        assert pool.keys == ["b", "c"]


def test_a_version_beyond_the_whole_budget_is_refused_with_the_setting_to_change() -> None:
    with pool_of(2 * MB) as pool:
        load(pool, "a")
        with pytest.raises(ModelUnavailable, match=r"5 MB.*2 MB.*MODEL_POOL_BYTES"):
            load(pool, "b", 5 * MB)
        assert pool.keys == ["a"]


@pytest.mark.parametrize("error", [ValueError("cut short"), SystemExit(3), ModelUnavailable("cut short")])
def test_a_load_that_fails_frees_what_it_took_and_leaves_its_reason(error: BaseException) -> None:
    with pool_of(2 * MB) as pool:
        with pytest.raises(ModelUnavailable):
            pool.begin("a", FakeLoader("a", error=error)).result(10)
        assert pool.taken_bytes == 0
        assert pool.failure("a")
        assert load(pool, "b").name == "b"


def test_a_version_that_failed_is_not_tried_at_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with pool_of(2 * MB) as pool:
        loader = FakeLoader("a", error=ValueError("cut short"))
        for _ in range(3):
            with pytest.raises(ModelUnavailable, match="cut short"):
                pool.begin("a", loader).result(10)
        assert loader.loads == 1
        monkeypatch.setattr(model_pool, "RETRY_S", 0.0)
        loader.error = None
        assert pool.begin("a", loader).result(10).name == "a"
        assert pool.failure("a") is None


def test_a_refusal_for_want_of_memory_is_tried_again_at_once() -> None:
    with pool_of(MB) as pool:
        model = load(pool, "a")
        model.is_busy = True
        with pytest.raises(Unavailable):
            load(pool, "b")
        model.is_busy = False
        assert load(pool, "b").name == "b"


def test_more_loads_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_pool, "_MOST_WAITING", 2)
    with pool_of(10 * MB) as pool:
        slow = FakeLoader("a")
        slow.may_load.clear()
        waiting: list[Future[FakeModel]] = [pool.begin("a", slow), pool.begin("b", FakeLoader("b"))]
        with pytest.raises(Busy):
            pool.begin("c", FakeLoader("c"))
        slow.may_load.set()
        assert [future.result(10).name for future in waiting] == ["a", "b"]


def test_a_forgotten_version_is_loaded_anew() -> None:
    with pool_of(2 * MB) as pool:
        first = load(pool, "a")
        pool.forget("a")
        assert pool.peek("a") is None
        assert load(pool, "a") is not first


def test_threads_that_load_at_once_keep_to_the_budget() -> None:
    def ask(pool: ModelPool[FakeModel], start: int) -> None:
        for number in range(start, start + 50):
            load(pool, str(number))

    with pool_of(20 * MB, threads=4) as pool:
        asking = [threading.Thread(target=ask, args=(pool, 50 * number)) for number in range(4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        gc.collect()
        assert len(pool.keys) == 20
        assert pool.taken_bytes == 20 * MB
