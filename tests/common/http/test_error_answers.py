"""The answers to requests that are wrong, through the whole app."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope

from common.app import create_app
from common.errors import AtollError
from common.settings import PluginSettings, Settings
from tests.support.clients import Client, connected
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid, assert_problem

PREDICT = "/sample_model/predict"
JSON = {"Content-Type": "application/json"}
DEEP = 100_000


def test_an_unknown_path_is_answered_404_and_tells_where_the_routes_are_listed(client: Client) -> None:
    body = assert_problem(client.get("/nope"), 404, told="/docs", kind="not-found")
    assert body["instance"] == "/nope"


def test_the_instance_is_the_path_without_the_query(client: Client) -> None:
    body = assert_problem(client.get("/nope?key=secret"), 404)
    assert body["instance"] == "/nope"


def test_a_very_long_path_is_cut_short_in_the_answer(client: Client) -> None:
    body = assert_problem(client.get("/" + "x" * 5000), 404)
    assert len(body["instance"]) == 200


def test_a_path_that_is_not_utf8_is_answered_404(client: Client) -> None:
    assert_problem(client.get("/%ff%fe"), 404)


def test_a_method_that_a_route_lacks_is_answered_405_with_those_it_has(client: Client) -> None:
    response = client.request("DELETE", "/models")
    assert_problem(response, 405, told="use GET", kind="method-not-allowed")
    assert response.headers["allow"] == "GET, HEAD"


def test_a_body_of_another_type_is_answered_415(client: Client) -> None:
    response = client.post(PREDICT, content=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert_problem(response, 415, told="send application/json", kind="unsupported-media-type")


def test_a_body_without_a_content_type_is_answered_415(client: Client) -> None:
    response = client.post(PREDICT, content=b'{"requiredField": "a"}')
    assert_problem(response, 415, told="no Content-Type; send application/json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
def test_other_names_of_json_are_read(client: Client, content_type: str) -> None:
    response = client.post(PREDICT, content=b'{"requiredField": "a"}', headers={"Content-Type": content_type})
    assert response.status_code == 200


def test_no_body_at_all_is_answered_as_a_missing_field(client: Client) -> None:
    assert_invalid(client.post(PREDICT), "body", told="Field required")


def test_broken_json_is_answered_with_the_place_where_it_breaks(client: Client) -> None:
    response = client.post(PREDICT, content=b'{"requiredField": }', headers=JSON)
    assert_invalid(response, "body", told="not JSON at character 18")


@pytest.mark.parametrize(
    "body",
    [b"[" * DEEP, b'{"requiredField":' + b"[" * DEEP + b"]" * DEEP + b"}", b'{"a":' * DEEP],
    ids=["open lists", "closed lists", "open objects"],
)
def test_json_nested_without_end_is_refused(client: Client, body: bytes) -> None:
    assert_problem(client.post(PREDICT, content=body, headers=JSON), 400, told="deep nesting", kind="bad-request")


def test_a_body_that_is_not_utf8_is_refused(client: Client) -> None:
    response = client.post(PREDICT, content=b'{"requiredField": "\xff"}', headers=JSON)
    assert_problem(response, 400, told="UTF-8")


def test_a_number_of_thousands_of_digits_is_refused(client: Client) -> None:
    body = b'{"requiredField": ' + b"9" * 5000 + b"}"
    assert_problem(client.post(PREDICT, content=body, headers=JSON), 400, told="digits")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_a_number_beyond_json_is_answered_as_a_wrong_field(client: Client, number: str) -> None:
    response = client.post(PREDICT, content=f'{{"requiredField": {number}}}'.encode(), headers=JSON)
    assert_invalid(response, "body.requiredField", told="valid string")


@pytest.mark.parametrize(
    "body",
    [
        rb'{"requiredField": "\ud800"}',
        rb'{"requiredField": "a", "\ud83d": 1}',
        rb'{"requiredField": ["\ud800"]}',
    ],
)
def test_half_a_character_is_answered_422(client: Client, body: bytes) -> None:
    assert_problem(client.post(PREDICT, content=body, headers=JSON), 422, kind="invalid")


def test_a_pair_of_surrogates_is_a_character(client: Client) -> None:
    response = client.post(PREDICT, content=rb'{"requiredField": "\ud83c\udf34"}', headers=JSON)
    assert response.json() == {"resp1": "Hello 🌴"}


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"text"', b"true"])
def test_json_that_is_no_object_is_answered_422(client: Client, body: bytes) -> None:
    assert_problem(client.post(PREDICT, content=body, headers=JSON), 422, kind="invalid")


def test_each_wrong_field_is_named(client: Client) -> None:
    response = client.post(PREDICT, json={"requiredField": 1, "typo": 2})
    body = assert_problem(response, 422)
    assert {item["field"] for item in body["errors"]} == {"body.requiredField", "body.typo"}


def test_a_given_value_is_shown_cut_short(client: Client) -> None:
    error = assert_invalid(client.post(PREDICT, json={"requiredField": ["x" * 5000]}), "body.requiredField")
    assert len(error["value"]) == 81


def test_a_very_long_field_name_is_cut_short(client: Client) -> None:
    response = client.post(PREDICT, json={"requiredField": "a", "x" * 100_000: 1})
    body = assert_problem(response, 422)
    assert len(body["errors"][0]["field"]) <= 200


def test_thousands_of_wrong_fields_give_a_short_answer(client: Client) -> None:
    response = client.post(PREDICT, json={"requiredField": "a"} | {f"f{i}": 1 for i in range(5000)})
    body = assert_problem(response, 422, told="more)")
    assert len(body["errors"]) == 50


def test_a_missing_query_parameter_is_named(client: Client) -> None:
    assert_invalid(client.post("/sample_model/test_endpoint2"), "query.name", told="Field required")


def test_a_body_larger_than_allowed_is_answered_413_with_the_limit(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, max_body_bytes=2000))
    response = client.post(PREDICT, json={"requiredField": "x" * 2000})
    assert_problem(response, 413, told="2000 bytes", kind="too-large")


def test_a_body_of_the_largest_size_is_answered(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, max_body_bytes=2000))
    body = orjson.dumps({"requiredField": "x" * (2000 - len(b'{"requiredField":""}'))})
    assert len(body) == 2000
    assert client.post(PREDICT, content=body, headers=JSON).status_code == 200


def test_a_body_that_grows_too_large_without_a_declared_length_is_answered_413(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1000

    async def ask() -> httpx.Response:
        async with connected(make_app(tmp_path, max_body_bytes=2000)) as client:
            return await client.post(PREDICT, content=pieces(), headers=JSON)

    assert_problem(asyncio.run(ask()), 413, told="2000 bytes")


def test_a_declared_length_is_refused_on_routes_that_read_no_body(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, max_body_bytes=2000))
    assert_problem(client.request("GET", "/models", content=b"x" * 3000), 413)


def broken(tmp_path: Path, **http: object) -> Client:
    path = write_plugin(
        tmp_path,
        "broken",
        """
        from fastapi import APIRouter, HTTPException
        from fastapi.responses import StreamingResponse
        router = APIRouter(prefix="/broken")

        @router.get("/raise")
        async def fail():
            password = "hunter2"
            raise RuntimeError("cannot log in with " + password)

        @router.get("/late")
        async def late():
            def pieces():
                yield b"first"
                raise RuntimeError("too late")
            return StreamingResponse(pieces())

        @router.get("/teapot")
        async def teapot():
            raise HTTPException(418, detail={"short": "stout"}, headers={"X-Spout": "yes"})

        @router.get("/encode")
        async def encode() -> str:
            return "\\ud800"
        """,
    )
    return Client(make_app(tmp_path / "state", path=(path,), serve=("broken",), **http))


def test_an_error_in_a_plugin_is_answered_500_without_what_went_wrong(tmp_path: Path) -> None:
    response = broken(tmp_path).get("/broken/raise")
    body = assert_problem(response, 500, kind="internal")
    assert body["detail"] == "Internal server error"
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text


def test_half_a_character_that_the_plugin_made_itself_is_a_500(tmp_path: Path) -> None:
    assert_problem(broken(tmp_path).get("/broken/encode"), 500)


def test_an_error_after_the_response_has_started_does_not_leave_the_app(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": "/broken/late",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": ("127.0.0.1", 7071),
    }
    app = broken(tmp_path).app

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200


def test_the_web_frameworks_own_exception_keeps_its_status_headers_and_detail(tmp_path: Path) -> None:
    response = broken(tmp_path).get("/broken/teapot")
    assert_problem(response, 418, told='{"short":"stout"}')
    assert response.headers["x-spout"] == "yes"


def test_a_500_bears_the_cors_headers_too(tmp_path: Path) -> None:
    response = broken(tmp_path, cors_origins="http://page.example").get(
        "/broken/raise", headers={"Origin": "http://page.example"}
    )
    assert_problem(response, 500)
    assert response.headers["access-control-allow-origin"] == "http://page.example"


@pytest.mark.parametrize("raised", [HTTPException(500, "password=hunter2"), AtollError("password=hunter2")])
def test_the_text_of_a_500_stays_in_the_log(raised: Exception, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(plugins=PluginSettings(service_model=("sample",))))

    @app.get("/fails")
    async def fails() -> None:
        raise raised

    response = Client(app).get("/fails")
    assert_problem(response, 500)
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text


def test_of_very_many_wrong_fields_the_first_are_named_and_all_counted() -> None:
    app = create_app(Settings(plugins=PluginSettings(service_model=("sample",))))
    response = Client(app).post("/sample_model/predict", json={f"k{n}": 1 for n in range(3000)})
    problem = assert_problem(response, 422)
    assert len(problem["errors"]) == 50
    assert "and 2996 more" in problem["detail"]
