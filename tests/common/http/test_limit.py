import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from common.http.limit import CONTROL_BYTES, BodyLimit
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

PLUGIN = """
    from fastapi import APIRouter
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="/small", tags=["Small"])
    plugin = Plugin(max_body_bytes=1000, prefixes=[OldPrefix("/before", lambda error: {"said": error.detail})])

    @router.post("/predict")
    async def predict(body: dict[str, str]) -> int:
        return len(body)
"""


@pytest.fixture
def small(tmp_path: Path) -> Client:
    """An app with a plugin that takes bodies of 1000 bytes."""
    path = write_plugin(tmp_path / "plugins", "small", PLUGIN)
    return Client(make_app(tmp_path / "state", path=(path,), serve=("small", "sample")))


class Reader:
    """Reads a request's whole body, waiting `pause_s` before each part."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            await asyncio.sleep(self.pause_s)
            message = await receive()
            self.received += len(message.get("body", b""))
            more = message.get("more_body", False)


def ask(limit: BodyLimit, parts: Sequence[Message | None], **scope: Any) -> int | None:
    """The status of the answer to a body in `parts`, None being one that never comes; None where the app read it."""
    headers = [(b"transfer-encoding", b"chunked")]
    asked: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, **scope}
    coming = iter(parts)
    statuses = []

    async def receive() -> Message:
        part = next(coming)
        if part is None:
            await asyncio.Event().wait()
        assert part is not None
        return part

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def run() -> None:
        try:
            await limit(asked, receive, send)
        except HTTPException as exc:
            statuses.append(exc.status_code)

    asyncio.run(run())
    return statuses[0] if statuses else None


def part(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def test_a_plugin_declares_how_large_its_bodies_are(small: Client) -> None:
    assert small.post("/small/predict", json={"a": "x" * 900}).status_code == 200
    assert_problem(small.post("/small/predict", json={"a": "x" * 1000}), 413, told="1000 bytes; send less")


def test_a_plugins_limit_holds_under_its_old_prefix(small: Client) -> None:
    response = small.post("/before/predict", json={"a": "x" * 1000})
    assert (response.status_code, response.json()) == (413, {"said": "the body is larger than 1000 bytes; send less"})


def test_a_plugins_limit_is_its_own(small: Client) -> None:
    assert small.post("/sample_model/predict", json={"requiredField": "x" * 2000}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/registry/m/aliases/default"), ("POST", "/jobs/1/retry"), ("GET", "/params")]
)
def test_atolls_own_routes_take_small_bodies(small: Client, method: str, path: str) -> None:
    assert_problem(small.request(method, path, content=b"x" * (CONTROL_BYTES + 1)), 413, told=f"{CONTROL_BYTES} bytes")


def test_a_file_of_a_data_set_may_be_larger_than_any_body(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, max_body_bytes=2000))
    assert client.request("PUT", "/datasets/a/b.csv", content=b"x" * 100_000).status_code == 201


def test_rows_of_a_training_may_be_as_large_as_a_body_for_a_model(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path / "state"))
    path, headers = "/registry/any/versions/1/snapshot", {"Content-Type": "text/csv"}
    assert client.request("PUT", path, content=b"1," * 100_000, headers=headers).status_code == 404
    assert client.request("PUT", path, content=b"1," * 6_000_000, headers=headers).status_code == 413


def test_max_body_bytes_counts_before_what_a_plugin_declares(tmp_path: Path) -> None:
    source = PLUGIN.replace("max_body_bytes=1000", "max_body_bytes=5000")
    path = write_plugin(tmp_path / "plugins", "small", source)
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("small",), max_body_bytes=2000))
    assert_problem(client.post("/small/predict", json={"a": "x" * 2500}), 413, told="raise MAX_BODY_BYTES")


def test_the_app_never_sees_a_body_that_is_declared_too_large() -> None:
    reader = Reader()
    assert ask(BodyLimit(reader, 10), [part(11)], headers=[(b"content-length", b"11")]) == 413
    assert reader.received == 0


@pytest.mark.parametrize("declared", [b"1", b"-1", b"x", b"", b"9" * 5000])
def test_whatever_is_declared_what_comes_is_counted(declared: bytes) -> None:
    limit = BodyLimit(Reader(), 10)
    assert ask(limit, [part(6), part(6, more=False)], headers=[(b"content-length", declared)]) == 413


@pytest.mark.parametrize("path", ["/keys", "/keys/x", "/keys/"])
def test_a_prefix_is_whole_segments(path: str) -> None:
    limit = BodyLimit(Reader(), 100, by_prefix={"/keys": 10})
    assert ask(limit, [part(11, more=False)], path=path) == 413
    assert ask(limit, [part(11, more=False)], path="/keystone") is None


def test_the_longest_prefix_counts() -> None:
    limit = BodyLimit(Reader(), 100, by_prefix={"/a": 10, "/a/b": 20})
    assert ask(limit, [part(15, more=False)], path="/a/b/c") is None
    assert ask(limit, [part(15, more=False)], path="/a/c") == 413


@pytest.mark.parametrize("parts", [[None], [part(5), None], [part(0), part(0), None]], ids=["none", "some", "empty"])
def test_a_body_that_does_not_come_is_answered_408(parts: list[Message | None]) -> None:
    assert ask(BodyLimit(Reader(), 1000, timeout_s=0.05), parts) == 408


def test_a_file_that_does_not_come_is_answered_408_too() -> None:
    limit = BodyLimit(Reader(), 1000, exempt=["PUT /files/{name}"], timeout_s=0.05)
    assert ask(limit, [part(5), None], method="PUT", path="/files/a") == 408


def test_what_the_app_takes_itself_is_not_the_callers_fault() -> None:
    limit = BodyLimit(Reader(pause_s=0.1), 1000, timeout_s=0.05)
    assert ask(limit, [part(1), part(1), part(1, more=False)]) is None


def test_waiting_for_the_caller_to_go_away_has_no_end() -> None:
    went = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        went.append((await receive())["type"])

    async def run() -> None:
        messages = iter([part(1, more=False), {"type": "http.disconnect"}])

        async def receive() -> Message:
            message = next(messages)
            if message["type"] == "http.disconnect":
                await asyncio.sleep(0.1)
            return message

        scope = {"type": "http", "method": "POST", "path": "/x", "headers": [(b"content-length", b"1")]}
        await BodyLimit(app, 10, timeout_s=0.01)(scope, receive, _unsent)

    asyncio.run(run())
    assert went == ["http.disconnect"]


async def _unsent(message: Message) -> None:
    raise AssertionError("nothing is to be answered")


LARGE = """
    from fastapi import APIRouter, Request
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="/large")
    plugin = Plugin(
        large_bodies=["POST /files/{name}"], prefixes=[OldPrefix("/before", lambda error: {"said": error.detail})]
    )

    @router.post("/files/{name}", max_body_size=1 << 50)
    async def put(request: Request, name: str) -> int:
        return sum([len(part) async for part in request.stream()])

    @router.post("/files/{name}/rest")
    async def rest(request: Request, name: str) -> int:
        return len(await request.body())
"""


@pytest.mark.parametrize("prefix", ["/large", "/before"])
def test_a_route_with_large_bodies_counts_them_itself_and_those_beside_it_do_not(tmp_path: Path, prefix: str) -> None:
    path = write_plugin(tmp_path / "plugins", "large", LARGE)
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("large",), max_body_bytes=1024))
    assert client.post(f"{prefix}/files/a", content=b"x" * 5000).json() == 5000
    assert client.post(f"{prefix}/files/a/rest", content=b"x" * 5000).status_code == 413


def test_large_bodies_of_a_route_that_is_not_there_keep_the_plugin_from_being_served(tmp_path: Path) -> None:
    path = write_plugin(tmp_path / "plugins", "large", LARGE.replace('["POST /files/{name}"]', '["POST /nothing"]'))
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("large",)))
    assert "there is no route 'POST /nothing'" in client.get("/models").json()[0]["reason"]
