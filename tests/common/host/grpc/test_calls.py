import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from common.host.grpc.calls import Caller, call, client_of


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:127.0.0.1:1234", ("127.0.0.1", 1234)),
        ("ipv6:%5B::1%5D:1234", ("::1", 1234)),
        ("ipv6:[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("unix:", None),
        ("", None),
    ],
)
def test_the_address_of_a_peer_is_read(peer: str, expected: tuple[str, int] | None) -> None:
    assert client_of(peer) == expected


def test_metadata_become_headers_but_for_those_of_the_connection() -> None:
    given: list[tuple[str, str | bytes]] = [
        ("authorization", "Bearer x"),
        ("x-api-key", "y"),
        ("grpc-accept-encoding", "gzip"),
        ("content-length", "3"),
        ("content-type", "application/grpc"),
        ("inference-header-content-length", "1"),
        ("host", "evil"),
        ("trace-bin", b"\0"),
    ]
    headers = Caller("", ("", 0), given, "atoll.example.org", 1.5).headers()
    assert headers == [
        (b"authorization", b"Bearer x"),
        (b"x-api-key", b"y"),
        (b"host", b"atoll.example.org"),
        (b"x-timeout-ms", b"1500"),
    ]


def test_a_time_out_that_the_caller_names_goes_before_its_deadline() -> None:
    headers = Caller("", ("", 0), [("x-timeout-ms", "7")], None, 1.5).headers()
    assert headers == [(b"x-timeout-ms", b"7")]


def test_a_call_comes_to_the_app_as_a_request_from_its_peer() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-A", b"1")]})
        await send({"type": "http.response.body", "body": body[:1], "more_body": True})
        await send({"type": "http.response.body", "body": body[1:]})

    caller = Caller("ipv4:10.0.0.9:5", ("127.0.0.1", 9000))
    answer = asyncio.run(call(app, caller, "POST", "/v2", b"abc"))
    assert (answer.status, answer.headers, answer.body) == (201, {"x-a": "1"}, b"abc")
    (scope,) = seen
    assert (scope["client"], scope["server"]) == (("10.0.0.9", 5), ("127.0.0.1", 9000))
    assert "extensions" not in scope
