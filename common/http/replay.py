"""Calling the app within its own process, without a socket: the same middleware, routes and errors as over HTTP."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope

from common.security.principal import SYSTEM, Principal

EXTENSION = "atoll.replay"


def is_replay(scope: Scope) -> bool:
    """Whether a request comes from `replay`: a worker's, which must be answered and not queued again."""
    return EXTENSION in (scope.get("extensions") or ())


def replayed_by(scope: Scope) -> Principal | None:
    """As whom a request is replayed. None where it came from outside: no header can say this."""
    extension = (scope.get("extensions") or {}).get(EXTENSION)
    found: Principal | None = None if extension is None else extension["principal"]
    return found


@dataclass
class Replayed:
    """An answer: status, headers (names in lower case) and the whole body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def replay(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    principal: Principal = SYSTEM,
) -> Replayed:
    """Send one request to `app` as `principal`; `path` may carry a query."""
    raw_path, _, query = path.partition("?")
    sent = {"content-type": "application/json", "content-length": str(len(body))} | dict(headers or {})
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": None,
        "server": None,
        "extensions": {EXTENSION: {"principal": principal}},
    }
    return await exchange(app, scope, body)


async def exchange(app: ASGIApp, scope: Scope, body: bytes) -> Replayed:
    """Call `app` with a request whose body is whole, and gather the answer. Raises what `app` raises.

    The caller of it waits for the answer: it never goes away, but may cancel.
    """
    answer = Replayed()
    parts: list[bytes] = []
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    answer.body = b"".join(parts)
    return answer
