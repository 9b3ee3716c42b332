import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from common.serving.answers import Answers, _digest
from common.serving.cache import ByteCache
from common.serving.pool import WorkPool
from tests.support.clients import Client, connected, until


class Model:
    """Counts its computations; `/answer?key=…` answers from it."""

    def __init__(self, pool: WorkPool, max_bytes: int = 100_000) -> None:
        self.computed = 0
        self.compute: Callable[[], Any] = lambda: {"number": self.computed}
        answers = Answers(pool, ByteCache(max_bytes))
        self.app = FastAPI()

        @self.app.get("/answer")
        async def answer(request: Request, key: str) -> Response:
            return await answers.answer(request, [key], self._work)

    def _work(self) -> Any:
        self.computed += 1
        return self.compute()

    def ask(self, key: str = "a", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client(self.app).get("/answer", params={"key": key}, headers=named)


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    pool = WorkPool(threads=2, queue_length=8)
    yield pool
    pool.close()


@pytest.fixture
def model(pool: WorkPool) -> Model:
    return Model(pool)


def test_the_first_answer_is_a_miss_and_the_second_a_hit(model: Model) -> None:
    assert [model.ask().headers["x-cache"] for _ in range(3)] == ["miss", "hit", "hit"]


def test_a_hit_has_the_bytes_of_the_miss(model: Model) -> None:
    assert model.ask().content == model.ask().content == b'{"number":1}'


def test_an_answer_is_json(model: Model) -> None:
    assert model.ask().headers["content-type"] == "application/json"


def test_another_key_is_computed(model: Model) -> None:
    model.ask("a")
    assert model.ask("b").headers["x-cache"] == "miss"


def test_no_cache_computes_anew_and_keeps_the_new_answer(model: Model) -> None:
    model.ask()
    fresh = model.ask(cache_control="no-cache")
    assert (fresh.headers["x-cache"], fresh.json()) == ("miss", {"number": 2})
    assert model.ask().json() == {"number": 2}


def test_no_store_computes_anew_and_keeps_nothing(model: Model) -> None:
    model.ask()
    assert model.ask(cache_control="no-store").json() == {"number": 2}
    assert model.ask().json() == {"number": 1}


def test_no_store_alone_leaves_no_answer_behind(model: Model) -> None:
    model.ask(cache_control="no-store")
    assert model.ask().headers["x-cache"] == "miss"


def test_an_error_is_not_kept(model: Model) -> None:
    def fail() -> None:
        raise LookupError

    model.compute = fail
    with pytest.raises(LookupError):
        model.ask()
    model.compute = lambda: "well"
    assert model.ask().json() == "well"


def test_an_answer_too_large_to_keep_is_given_all_the_same(pool: WorkPool) -> None:
    model = Model(pool, max_bytes=1000)
    model.compute = lambda: "x" * 5000
    assert [model.ask().headers["x-cache"] for _ in range(2)] == ["miss", "miss"]
    assert len(model.ask().json()) == 5000


def test_arrays_are_lists_and_what_is_not_a_number_is_null(model: Model) -> None:
    model.compute = lambda: {"values": np.array([1.5, np.nan, np.inf]), 3: None}
    assert model.ask().json() == {"values": [1.5, None, None], "3": None}


def test_equal_requests_at_the_same_time_are_computed_once(model: Model) -> None:
    release = threading.Event()

    def work() -> str:
        assert release.wait(30)
        return "shared"

    async def ask() -> list[httpx.Response]:
        async with connected(model.app) as client:
            tasks = [asyncio.create_task(client.get("/answer?key=a")) for _ in range(20)]
            await until(lambda: model.computed)
            for _ in range(100):
                await asyncio.sleep(0)
            release.set()
            return await asyncio.gather(*tasks)

    model.compute = work
    assert {response.content for response in asyncio.run(ask())} == {b'"shared"'}
    assert model.computed == 1


def test_a_fresh_answer_is_not_shared_with_one_under_way(model: Model) -> None:
    release = threading.Event()

    def work() -> int:
        assert release.wait(30)
        return model.computed

    async def ask() -> None:
        async with connected(model.app) as client:
            first = asyncio.create_task(client.get("/answer?key=a"))
            await until(lambda: model.computed == 1)
            second = asyncio.create_task(client.get("/answer?key=a", headers={"Cache-Control": "no-cache"}))
            await until(lambda: model.computed == 2)
            release.set()
            await asyncio.gather(first, second)

    model.compute = work
    asyncio.run(asyncio.wait_for(ask(), 30))
    assert model.computed == 2


def test_keys_whose_parts_join_to_the_same_text_differ() -> None:
    assert _digest(["ab", "c"]) != _digest(["a", "bc"])


def test_a_key_may_hold_half_a_character() -> None:
    assert _digest(["\ud800"]) != _digest(["?"])


def test_a_large_answer_is_written_whole(model: Model) -> None:
    model.compute = lambda: np.arange(50_000)
    assert orjson.loads(model.ask().content)[-1] == 49_999


def test_a_client_that_goes_away_gives_its_place_in_the_queue_back() -> None:
    pool = WorkPool(threads=1, queue_length=1)
    busy = threading.Event()
    model = Model(pool)

    async def scenario() -> int:
        running = asyncio.ensure_future(pool.run(busy.wait))
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            return None

        scope = {"type": "http", "method": "GET", "path": "/answer", "query_string": b"key=a", "headers": []}
        asked = asyncio.ensure_future(model.app(scope | {"http_version": "1.1", "raw_path": b"/answer"}, receive, send))
        await asyncio.sleep(0.05)
        gone.set()
        await asked
        await until(lambda: pool._taken == 1)
        # The only place in the queue: refused if the client that left still held it.
        waiting = asyncio.ensure_future(pool.run(lambda: 7))
        busy.set()
        await running
        return await waiting

    assert asyncio.run(scenario()) == 7
    assert model.computed == 0
    pool.close()
