"""What is refused before the web framework sees it, and how."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import Message

from common.security.rules import Rules
from common.security.scopes import Scope
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

TALKER = """
    from fastapi import APIRouter, WebSocket
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    router = APIRouter(prefix="/talker")

    @router.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("mounted")

    router.routes.append(Mount("/talker/pages", routes=[Route("/one", page)]))
    router.add_route("/talker/plain", page)
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    app = closed_app(tmp_path / "state", path=(write_plugin(tmp_path, "talker", TALKER),), serve=("sample", "talker"))
    yield app
    app.state.runtime.stop()


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


def send_raw(app: FastAPI, scope: dict[str, Any], *received: Message) -> tuple[list[Message], int]:
    """What the app sends, and how often it asked for something to be received."""
    waiting, sent, asked = iter(received), [], 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    base: dict[str, Any] = {
        "http_version": "1.1",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": None,
        "root_path": "",
    }
    asyncio.run(app(base | scope, receive, send))
    return sent, asked


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/sample_model/predict"), ("PUT", "/datasets/a/b.csv"), ("POST", "/keys"), ("POST", "/nowhere")],
)
def test_nothing_of_the_body_is_read_before_a_refusal(app: FastAPI, method: str, path: str) -> None:
    sent, asked = send_raw(app, {"type": "http", "method": method, "path": path, "raw_path": path.encode()})
    assert sent[0]["status"] == 401
    assert asked == 0


def test_a_body_larger_than_the_limit_is_none_of_a_strangers_business(client: Client) -> None:
    assert_problem(client.post("/sample_model/predict", content=b"x" * 20_000_000), 401)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/nowhere/at/all", "/models%0A", "/MODELS", "/docs/%2E%2E/keys", "/health"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_whoever_may_nothing_learns_of_no_path(client: Client, method: str, path: str) -> None:
    assert_problem(client.request(method, path), 401)


def test_whoever_may_something_is_told_what_there_is_not(client: Client, app: FastAPI) -> None:
    key = bearer(make_key(app, Scope.SUBMIT))
    assert_problem(client.get("/nowhere", headers=key), 404, told="/docs lists the routes")
    wrong = client.request("DELETE", "/models", headers=key)
    assert_problem(wrong, 405)
    assert wrong.headers["allow"] == "GET, HEAD"
    assert client.get("/models/", headers=key).headers["location"].endswith("/models")


def test_options_says_what_a_path_takes_to_everybody_and_does_nothing(client: Client) -> None:
    answer = client.request("OPTIONS", "/sample_model/predict")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    assert_problem(client.request("OPTIONS", "/nowhere"), 401)


def test_head_asks_what_get_asks(client: Client, app: FastAPI) -> None:
    assert client.request("HEAD", "/models").status_code == 401
    assert client.request("HEAD", "/models", headers=bearer(make_key(app, Scope.TRAIN))).status_code == 200
    assert client.request("HEAD", "/health/live").status_code == 200


def test_an_unknown_method_is_refused_as_any_other(client: Client) -> None:
    assert_problem(client.request("PROPFIND", "/datasets/a/b.csv"), 401)


def test_a_page_that_cors_allows_can_read_a_refusal_and_ask_with_a_key(client: Client, app: FastAPI) -> None:
    page = {"Origin": "http://localhost:8080"}
    answer = client.get("/models", headers=page)
    assert_problem(answer, 401)
    assert answer.headers["access-control-allow-origin"] == page["Origin"]
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    preflight = client.request("OPTIONS", "/jobs/x", headers=page | asked)
    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    assert client.get("/models", headers=page | bearer(make_key(app, Scope.TRAIN))).status_code == 200


def test_a_preflight_from_elsewhere_is_answered_nothing(client: Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = client.request("OPTIONS", "/models", headers=asked)
    assert answer.status_code == 405
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_a_page_of_a_stranger_cannot_use_an_open_loopback(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path))
    body = {"requiredField": "x"}
    assert client.post("/sample_model/predict", json=body).status_code == 200
    stranger = client.post("/sample_model/predict", json=body, headers={"Origin": "https://evil.example"})
    assert_problem(stranger, 401, told="https://evil.example")
    assert_problem(client.get("/jobs", headers={"Host": "rebound.example:7071"}), 401, told="rebound.example")
    assert client.get("/docs", headers={"Host": "rebound.example:7071"}).status_code == 200


def test_what_a_plugin_mounts_by_other_means_is_guarded_too(client: Client, app: FastAPI) -> None:
    key = bearer(make_key(app, Scope.PREDICT, models=["sample"]))
    for path in ("/talker/plain", "/talker/pages/one"):
        assert_problem(client.get(path), 401)
        assert_problem(client.get(path, headers=key), 403, told="'talker'")
        assert client.get(path, headers=bearer(make_key(app, Scope.PREDICT))).text == "mounted"


def test_a_socket_is_closed_before_it_opens_unless_the_caller_may(app: FastAPI) -> None:
    scope = {"type": "websocket", "path": "/talker/talk", "raw_path": b"/talker/talk", "subprotocols": []}
    sent, _ = send_raw(app, scope, {"type": "websocket.connect"})
    assert [message["type"] for message in sent] == ["websocket.close"]
    key = (b"authorization", f"Bearer {make_key(app, Scope.PREDICT)}".encode())
    sent, _ = send_raw(app, scope | {"headers": [key]}, {"type": "websocket.connect"})
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]


def test_a_route_that_nobody_gave_a_scope_is_for_admin_alone(client: Client, app: FastAPI) -> None:
    forgotten = APIRouter()
    forgotten.add_api_route("/forgotten", lambda: "secret")
    app.include_router(forgotten)
    keys = {scope: bearer(make_key(app, scope)) for scope in Scope}
    # As it is found at run time, though its rules were made before; then as it is at the next start.
    for others in (404, 403):
        assert_problem(client.get("/forgotten"), 401)
        for scope in (Scope.PREDICT, Scope.TRAIN, Scope.SUBMIT):
            assert_problem(client.get("/forgotten", headers=keys[scope]), others)
        assert client.get("/forgotten", headers=keys[Scope.ADMIN]).json() == "secret"
        assert Rules.of(app).undeclared == ["GET /forgotten"]


def test_a_plugin_that_declares_a_scope_for_no_route_is_not_served(tmp_path: Path) -> None:
    source = """
        from fastapi import APIRouter
        from common.plugins import Plugin
        router = APIRouter(prefix="/typo")
        router.add_api_route("/erase", lambda: "erased", methods=["POST"])
        plugin = Plugin(scopes={"POST /erase_all": "admin"})
    """
    client = Client(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "typo", source),), serve=("typo",)))
    (model,) = client.get("/models").json()
    assert model["state"] == "unavailable"
    assert "there is no route 'POST /erase_all'; there are POST /erase" in model["reason"]
    assert_problem(client.post("/typo/erase"), 404)


def test_a_refusal_is_counted_for_its_route(client: Client, app: FastAPI) -> None:
    client.get("/registry/sample")
    metrics = client.get("/metrics", headers=bearer(make_key(app, Scope.PREDICT))).text
    assert 'atoll_http_requests_total{method="GET",route="/registry/{model}",status="401"} ' in metrics
