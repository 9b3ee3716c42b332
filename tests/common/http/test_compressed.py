"""Answers by gzip: which are compressed, and what is said of them."""

import asyncio
import gzip
from typing import Any

import pytest
from starlette.types import Message

from common.http.compressed import Compressed

JSON = (b"content-type", b"application/json")
LONG = b'{"a": 1}' * 2000
Headers = list[tuple[bytes, bytes]]


def answered(
    *bodies: bytes, headers: Headers, status: int = 200, method: str = "GET", accept: bytes = b"br, gzip"
) -> tuple[dict[str, str], bytes]:
    """What a caller gets of an app that answers with these parts."""
    sent: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(sum(map(len, bodies))).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
        for number, body in enumerate(bodies, 1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "headers": [(b"accept-encoding", accept)]}
    asyncio.run(_run(Compressed(app), scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return found, b"".join(message["body"] for message in sent[1:])


async def _run(app: Compressed, *arguments: Any) -> None:
    await app(*arguments)


@pytest.mark.parametrize("body", [LONG, LONG * 10], ids=["at once", "on a thread"])
def test_a_long_answer_is_compressed_with_its_new_length(body: bytes) -> None:
    headers, packed = answered(body, headers=[JSON, (b"vary", b"Origin")])
    assert gzip.decompress(packed) == body
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(packed) < len(body) / 10
    assert headers["vary"] == "Origin, Accept-Encoding"


def test_a_strong_tag_becomes_a_weak_one_and_a_weak_one_stays() -> None:
    assert answered(LONG, headers=[JSON, (b"etag", b'"a"')])[0]["etag"] == 'W/"a"'
    assert answered(LONG, headers=[JSON, (b"etag", b'W/"a"')])[0]["etag"] == 'W/"a"'


@pytest.mark.parametrize(
    "case",
    [
        {"accept": b"identity"},
        {"accept": b"gzip;q=0"},
        {"method": "POST"},
        {"status": 404},
        {"headers": [(b"content-type", b"application/octet-stream")]},
        {"headers": [JSON, (b"content-encoding", b"gzip")]},
    ],
    ids=str,
)
def test_other_answers_are_sent_as_they_are(case: dict[str, Any]) -> None:
    before = case.get("headers", [JSON])
    headers, body = answered(LONG, **{"headers": before, **case})
    assert body == LONG
    assert headers == {"content-length": str(len(LONG)), **{name.decode(): value.decode() for name, value in before}}


def test_a_short_answer_is_sent_as_it_is() -> None:
    assert answered(b"{}", headers=[JSON]) == ({"content-length": "2", "content-type": "application/json"}, b"{}")


def test_an_answer_that_comes_in_parts_is_sent_as_it_comes() -> None:
    headers, body = answered(LONG, LONG, headers=[JSON])
    assert (body, headers["content-length"]) == (LONG + LONG, str(2 * len(LONG)))
