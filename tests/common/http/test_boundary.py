import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from common.http.boundary import RequestBoundary, request_id_of
from common.http.guard import Guard
from common.http.replay import replay
from tests.support.clients import Client


def scope(**headers: bytes) -> Scope:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": "/", "headers": pairs}


@pytest.mark.parametrize("given_id", ["a", "7f3e-4c.5_6:7", "x" * 128])
def test_a_plain_request_id_is_given_back(client: Client, given_id: str) -> None:
    assert client.get("/", headers={"X-Request-ID": given_id}).headers["x-request-id"] == given_id


@pytest.mark.parametrize("given_id", ["", "x" * 129, "two words", "<script>", "a\tb", "é"])
def test_a_request_id_that_is_long_or_not_plain_is_replaced(client: Client, given_id: str) -> None:
    answered = client.get("/", headers={"X-Request-ID": given_id.encode()}).headers["x-request-id"]
    assert answered != given_id
    assert len(answered) == 32


@given(st.binary(max_size=200))
def test_whatever_is_given_the_request_id_fits_a_header_and_a_log_line(value: bytes) -> None:
    answered = request_id_of(scope(x_request_id=value))
    assert answered.isascii()
    assert answered.isprintable()
    assert " " not in answered
    assert 1 <= len(answered) <= 128


def test_two_requests_get_different_ids(client: Client) -> None:
    assert client.get("/").headers["x-request-id"] != client.get("/").headers["x-request-id"]


def test_an_answer_bears_one_request_id(client: Client) -> None:
    assert len(client.get("/nope", headers={"X-Request-ID": "mine"}).headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize(
    "path", ["/", "/models", "/params", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/metrics", "/health/live"]
)
def test_head_answers_as_get_does_but_without_a_body(client: Client, path: str) -> None:
    asked, head = client.get(path), client.request("HEAD", path)
    assert head.status_code == asked.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == asked.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize(("path", "status"), [("/models", 200), ("/docs/start.js", 200), ("/nope", 404)])
def test_nothing_is_sent_after_the_headers_of_head(client: Client, path: str, status: int) -> None:
    # Not by the client above, which drops what it does not expect.
    answer = asyncio.run(replay(client.app, "HEAD", path))
    assert (answer.status, answer.body) == (status, b"")


def test_a_request_cancelled_by_the_stopping_server_is_told_to_come_back() -> None:
    async def cancelled(_: Scope, __: Receive, ___: Send) -> None:
        raise asyncio.CancelledError

    answer = asyncio.run(replay(Guard(cancelled), "GET", "/"))
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" in answer.headers


def test_a_route_that_exits_is_answered_500_and_ends_nothing() -> None:
    async def leaves(_: Scope, __: Receive, ___: Send) -> None:
        raise SystemExit(1)

    assert asyncio.run(replay(Guard(leaves), "GET", "/")).status == 500


def test_what_is_not_http_passes_untouched() -> None:
    seen: list[Scope] = []

    async def inner(given_scope: Scope, _: Receive, __: Send) -> None:
        seen.append(given_scope)

    lifespan: dict[str, Any] = {"type": "lifespan"}
    asyncio.run(RequestBoundary(inner)(lifespan, nothing, ignore))
    assert seen == [{"type": "lifespan"}]


async def nothing() -> Message:
    return {"type": "http.disconnect"}


async def ignore(_: Message) -> None:
    return None
