"""The way of a model from loading to ready or unavailable, and back."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from common.errors import DependencyFailed
from common.plugins import Plugin, record
from common.plugins.record import PluginRecord
from tests.support.clients import Client, connected, until
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

SOURCE = """
    import threading
    from fastapi import APIRouter
    from common.plugins import Plugin

    router = APIRouter(prefix="/slow")
    begun, go_on = threading.Event(), threading.Event()
    loads, error = 0, None

    def load():
        global loads
        loads += 1
        begun.set()
        assert go_on.wait(30)
        if error is not None:
            raise error

    @router.get("/hello")
    async def hello() -> str:
        return "hello"

    plugin = Plugin(load=load)
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """An app with the sample and a plugin whose load ends when the test says so."""
    path = write_plugin(tmp_path, "slow", SOURCE)
    yield make_app(tmp_path / "state", path=(path,), serve=("sample", "slow"))
    slow().go_on.set()
    del sys.modules["slow"]


def slow() -> Any:
    """The plugin's module."""
    return sys.modules["slow"]


def begin(app: FastAPI) -> Client:
    """Start up, and wait until the load has begun."""
    app.state.runtime.start()
    assert slow().begun.wait(30)
    return Client(app)


def finish(app: FastAPI, error: Exception | None = None) -> Client:
    """Start up, and wait until the load has ended."""
    client = begin(app)
    slow().error = error
    slow().go_on.set()
    # A request waits for the load.
    client.get("/slow/hello")
    return client


def states(client: Client) -> dict[str, str]:
    return {model["name"]: model["state"] for model in client.get("/models").json()}


def test_liveness_is_answered_while_a_load_hangs(app: FastAPI) -> None:
    response = begin(app).get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})


def test_other_models_answer_while_a_load_hangs(app: FastAPI) -> None:
    assert begin(app).post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200


def test_a_loading_model_is_listed_as_loading(app: FastAPI) -> None:
    assert states(begin(app)) == {"sample": "ready", "slow": "loading"}


def test_readiness_names_the_model_that_is_loading(app: FastAPI) -> None:
    body = assert_problem(begin(app).get("/health/ready"), 503, told="slow: loading")
    assert body["models"] == {"sample": {"state": "ready"}, "slow": {"state": "loading"}}


def test_a_request_waits_until_the_model_has_loaded(app: FastAPI) -> None:
    begin(app)

    async def ask() -> httpx.Response:
        async with connected(app) as client:
            asked = asyncio.create_task(client.get("/slow/hello"))
            live = await client.get("/health/live")
            assert live.status_code == 200
            assert not asked.done()
            slow().go_on.set()
            return await asked

    assert asyncio.run(ask()).json() == "hello"


def test_many_requests_that_wait_load_once(app: FastAPI) -> None:
    begin(app)

    async def ask() -> list[httpx.Response]:
        async with connected(app) as client:
            asked = [asyncio.create_task(client.get("/slow/hello")) for _ in range(10)]
            await asyncio.sleep(0.01)
            slow().go_on.set()
            return await asyncio.gather(*asked)

    assert {response.status_code for response in asyncio.run(ask())} == {200}
    assert slow().loads == 1


def test_a_request_is_told_to_come_back_when_loading_takes_too_long(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = begin(app)
    monkeypatch.setattr(record, "WAIT_FOR_LOAD_S", 0.01)
    # A thread of the loop waits for the load, and the loop's end for the thread.
    threading.Timer(0.1, slow().go_on.set).start()
    assert_problem(client.get("/slow/hello"), 503, told="slow is still loading", kind="model-unavailable")


def test_a_request_before_any_start_up_loads_the_model(app: FastAPI) -> None:
    slow().go_on.set()
    assert Client(app).get("/slow/hello").json() == "hello"


def test_readiness_is_200_when_every_model_has_loaded(app: FastAPI) -> None:
    response = finish(app).get("/health/ready")
    assert response.status_code == 200
    assert response.json()["models"]["slow"]["state"] == "ready"


def test_a_failed_load_is_answered_503_with_the_reason(app: FastAPI) -> None:
    client = finish(app, DependencyFailed("the share is down"))
    assert_problem(
        client.get("/slow/hello"), 503, told="slow is unavailable: the share is down", kind="model-unavailable"
    )


def test_a_failed_load_is_listed_with_the_reason(app: FastAPI) -> None:
    models = {model["name"]: model for model in finish(app, RuntimeError("no data")).get("/models").json()}
    assert (models["slow"]["state"], models["slow"]["reason"]) == ("unavailable", "RuntimeError: no data")


def test_readiness_names_the_model_whose_load_failed_and_why(app: FastAPI) -> None:
    client = finish(app, RuntimeError("no data"))
    assert_problem(client.get("/health/ready"), 503, told="slow: RuntimeError: no data")


def test_other_models_answer_beside_one_whose_load_failed(app: FastAPI) -> None:
    client = finish(app, RuntimeError("no data"))
    assert client.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200


def test_a_failed_load_is_not_repeated_at_once(app: FastAPI) -> None:
    client = finish(app, RuntimeError("no data"))
    for _ in range(5):
        client.get("/slow/hello")
        client.get("/health/ready")
    assert slow().loads == 1


def test_a_failed_load_is_tried_again_later_and_recovers(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    client = finish(app, RuntimeError("no data"))
    monkeypatch.setattr(record, "RETRY_LOAD_S", 0)
    slow().error = None
    assert client.get("/slow/hello").json() == "hello"
    assert client.get("/health/ready").status_code == 200


def test_readiness_alone_makes_a_failed_model_try_again(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    client = finish(app, RuntimeError("no data"))
    monkeypatch.setattr(record, "RETRY_LOAD_S", 0)
    slow().error = None
    client.get("/health/ready")
    slow_record = next(item for item in app.state.runtime.records if item.name == "slow")
    asyncio.run(until(slow_record.is_ready))


def test_a_recovered_model_shows_no_reason(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    client = finish(app, RuntimeError("no data"))
    monkeypatch.setattr(record, "RETRY_LOAD_S", 0)
    slow().error = None
    client.get("/slow/hello")
    assert [model["reason"] for model in client.get("/models").json()] == [None, None]


def test_start_up_happens_once_however_often_it_is_asked_for(app: FastAPI) -> None:
    slow().go_on.set()
    threads = [threading.Thread(target=app.state.runtime.start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Client(app).get("/slow/hello")
    assert slow().loads == 1


def loaded(load: Callable[[], None]) -> PluginRecord:
    found = PluginRecord("mine", APIRouter(), Plugin(load=load))
    found.load()
    return found


def test_a_load_that_exits_does_not_end_the_process() -> None:
    assert loaded(lambda: sys.exit("no licence")).reason == "SystemExit: no licence"


def test_how_long_a_load_took_is_told() -> None:
    assert (loaded(lambda: None).load_s or -1) >= 0


def test_a_plugin_without_a_load_is_ready_at_once() -> None:
    assert PluginRecord("mine", APIRouter()).state == "ready"


def test_data_sets_are_asked_for_only_when_the_model_is_ready() -> None:
    def fail() -> list[Any]:
        raise AssertionError("asked too early")

    assert PluginRecord("mine", APIRouter(), Plugin(load=lambda: None, datasets=fail)).datasets() == ()


def test_the_title_is_the_plugins_else_the_routers_first_tag_else_the_name() -> None:
    assert PluginRecord("mine", APIRouter(tags=["Tag"]), Plugin(title="Title")).title == "Title"
    assert PluginRecord("mine", APIRouter(tags=["Tag", "Other"])).title == "Tag"
    assert PluginRecord("mine", APIRouter()).title == "mine"


def _wait(event: threading.Event) -> None:
    event.wait(30)


def test_a_load_that_hangs_keeps_no_other_model_waiting() -> None:
    hanging, quick = threading.Event(), threading.Event()
    records = [
        PluginRecord("a", router=APIRouter(prefix="/a"), plugin=Plugin(load=partial(_wait, hanging))),
        PluginRecord("b", router=APIRouter(prefix="/b"), plugin=Plugin(load=quick.set)),
    ]
    for item in records:
        item.begin_load()
    records[1].load()
    assert [item.state for item in records] == ["loading", "ready"]
    hanging.set()


def test_a_load_under_way_is_not_begun_again() -> None:
    hanging = threading.Event()
    model = PluginRecord("a", router=APIRouter(prefix="/a"), plugin=Plugin(load=partial(_wait, hanging)))
    assert model.begin_load() is model.begin_load()
    hanging.set()


def test_a_password_in_an_address_is_not_shown_in_the_reason() -> None:
    def fails() -> None:
        raise OSError("cannot reach postgres://user:hunter2@db/x")

    model = PluginRecord("a", router=APIRouter(prefix="/a"), plugin=Plugin(load=fails))
    model.load()
    assert model.reason == "OSError: cannot reach postgres://***@db/x"
