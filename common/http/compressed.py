"""Answers to GET by gzip, for who takes it: lists, descriptions and figures shrink to a tenth.

Answers to other methods, predictions above all, are sent as they are: they are small or wanted at once. So are answers
that are streamed, which may be of any length, and those whose route has compressed them once and for all.
"""

import gzip
from collections.abc import Awaitable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.http.content import WORTH_BYTES, takes_gzip

_TYPES = ("application/json", "text/plain", "text/csv")
# Up to here at once, by the fastest level: in less than half a millisecond it saves nearly as much as the others. What
# is longer on a thread, by the usual level.
_AT_ONCE_BYTES = 64 * 1024
_FASTEST, _USUAL = 1, 6


class Compressed:
    """Pure ASGI. To other requests than GET it adds no step at all."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] == "GET" and _asks(scope):
            return self.app(scope, receive, _Compressing(send))
        return self.app(scope, receive, send)


class _Compressing:
    """Holds the start of an answer back until its body is there."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_worth_it(message):
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            body = message.get("body", b"")
            if not message.get("more_body", False) and len(body) >= WORTH_BYTES:
                at_once = len(body) <= _AT_ONCE_BYTES
                packed = _pack(body, _FASTEST) if at_once else await run_in_threadpool(_pack, body, _USUAL)
                start, message = _described(start, len(packed)), {**message, "body": packed}
            await self._send(start)
        await self._send(message)


def _asks(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and takes_gzip(value.decode("latin-1")) for name, value in scope["headers"])


def _is_worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return (
        start["status"] == 200
        and headers.get("content-type", "").startswith(_TYPES)
        and "content-encoding" not in headers
        and int(headers.get("content-length", 0)) >= WORTH_BYTES
    )


def _pack(body: bytes, level: int) -> bytes:
    return gzip.compress(body, level, mtime=0)


def _described(start: Message, size_bytes: int) -> Message:
    message = {**start, "headers": list(start["headers"])}
    headers = MutableHeaders(scope=message)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(size_bytes)
    headers.add_vary_header("Accept-Encoding")
    etag = headers.get("etag")
    if etag is not None and not etag.startswith("W/"):
        # A strong one would say that the bytes are the same.
        headers["ETag"] = f"W/{etag}"
    return message
