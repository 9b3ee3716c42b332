"""The largest request body that is read, and the time in which it has to come."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from functools import partial
from types import coroutine
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import RequestTimeout, TooLarge
from common.http.problems import problem_response

# Bodies of Atoll's own routes are a handful of fields.
CONTROL_BYTES = 65_536
CONTROL_PREFIXES = (
    "/audit",
    "/clusters",
    "/datasets",
    "/docs",
    "/health",
    "/job_status",
    "/jobs",
    "/keys",
    "/metrics",
    "/params",
    "/registry",
    "/settings",
    "/tasks",
)
_PARAMETER = re.compile(r"{[^}]*}")
# A slow mobile connection sends ten times as much; who sends less holds a connection for nothing.
MIN_BYTES_PER_S = 4096


class BodyLimit:
    """Pure ASGI. A larger body is answered 413: at once if its length is declared, else as soon as it is too long.

    A body that does not come is answered 408: when the app has waited for `timeout_s`, and a second more for each
    `MIN_BYTES_PER_S` that came. Time in which the app does not read does not count.

    The web framework has a limit of its own; its answer is plain text, and passes by every layer of ours.

    Parameters
    ----------
    max_bytes : of any body.
    by_prefix : path prefix -> largest body of the routes below it, where that is less.
    exempt : method and path of the routes that count for themselves: `PUT /files/{name}`.
    full : the same of those that take as much as any route, though a prefix above them takes less.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        *,
        by_prefix: Mapping[str, int] | None = None,
        exempt: Iterable[str] = (),
        full: Iterable[str] = (),
        timeout_s: float = 20.0,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        # By the first part of the path, longest prefix first.
        self._by_head: dict[str, list[tuple[str, int]]] = {}
        for prefix, most in sorted((by_prefix or {}).items(), key=lambda item: -len(item[0])):
            self._by_head.setdefault(_head(prefix), []).append((prefix, most))
        # By method: the paths of others need not be compared.
        self._exempt = _by_method(exempt)
        self._full = _by_method(full)
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope)
        has_body = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                has_body = value != b"0"
                if max_bytes is not None and _number(value) > max_bytes:
                    await problem_response(TooLarge(self._told(max_bytes)), scope)(scope, receive, send)
                    return
            elif name == b"transfer-encoding":
                has_body = True
        # Nobody waits for the body of a request that says it has none.
        body = _Body(receive, max_bytes, self._told, self._timeout_s if has_body else None)
        await self.app(scope, body.receive, send)

    def _max_bytes(self, scope: Scope) -> int | None:
        """The largest body for a request; None where its route counts for itself."""
        path: str = scope["path"]
        if any(pattern.fullmatch(path) for pattern in self._exempt.get(scope["method"], ())):
            return None
        if any(pattern.fullmatch(path) for pattern in self._full.get(scope["method"], ())):
            return self.max_bytes
        for prefix, max_bytes in self._by_head.get(_head(path), ()):
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return min(max_bytes, self.max_bytes)
        return self.max_bytes

    def _told(self, max_bytes: int | None) -> str:
        more = ", or raise MAX_BODY_BYTES" if max_bytes == self.max_bytes else ""
        return f"the body is larger than {max_bytes} bytes; send less{more}"


def _head(path: str) -> str:
    return path[1:].partition("/")[0]


class _Body:
    """One request's body as it comes.

    Of all errors, the web framework lets only its own through while it reads a body.
    """

    __slots__ = ("_is_complete", "_max_bytes", "_receive", "_received", "_timeout_s", "_told", "_waited_s")

    def __init__(
        self, receive: Receive, max_bytes: int | None, told: Callable[[int | None], str], timeout_s: float | None
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._told = told
        self._timeout_s = timeout_s
        self._received = 0
        self._waited_s = 0.0
        self._is_complete = False

    async def receive(self) -> Message:
        if self._is_complete:
            # Whoever asks now waits for the caller to go away.
            return await self._receive()
        message = await (self._receive() if self._timeout_s is None else self._in_time(self._timeout_s))
        self._is_complete = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._max_bytes is not None and self._received > self._max_bytes:
            raise HTTPException(TooLarge.status, self._told(self._max_bytes))
        return message

    async def _in_time(self, timeout_s: float) -> Message:
        waiting = self._receive()
        if isinstance(waiting, Coroutine):
            # Most bodies are there already. A time-out costs 10 microseconds, which are for those that are not.
            try:
                step = waiting.send(None)
            except StopIteration as done:
                message: Message = done.value
                return message
            waiting = _rest(waiting, step)
        clock = asyncio.get_running_loop().time
        began_s = clock()
        left_s = timeout_s + self._received / MIN_BYTES_PER_S - self._waited_s
        try:
            async with asyncio.timeout(left_s):
                return await waiting
        except TimeoutError:
            told = f"the body did not come within {timeout_s:g} s; send {MIN_BYTES_PER_S} bytes a second or more"
            # What comes later is not the beginning of a request.
            raise HTTPException(RequestTimeout.status, told, {"Connection": "close"}) from None
        finally:
            self._waited_s += clock() - began_s


def _by_method(routes: Iterable[str]) -> dict[str, list[re.Pattern[str]]]:
    found: dict[str, list[re.Pattern[str]]] = {}
    for route in routes:
        method, pattern = _pattern(route)
        found.setdefault(method, []).append(pattern)
    return found


def _pattern(route: str) -> tuple[str, re.Pattern[str]]:
    """A route's method, and what its path looks like."""
    method, _, path = route.partition(" ")
    return method, re.compile("[^/]+".join(re.escape(part) for part in _PARAMETER.split(path)))


@coroutine
def _rest(begun: Coroutine[Any, Any, Message], step: Any) -> Generator[Any, Any, Message]:
    """What is left of a coroutine that has been begun by hand and waits for `step`; to be awaited."""
    while True:
        try:
            sent = yield step
        except GeneratorExit:
            begun.close()
            raise
        except BaseException as exc:  # noqa: BLE001 - cancelled, above all: it is the coroutine's to hear of
            go_on = partial(begun.throw, exc)
        else:
            go_on = partial(begun.send, sent)
        try:
            step = go_on()
        except StopIteration as done:
            message: Message = done.value
            return message


def _number(value: bytes) -> int:
    # What is no number is the server's to refuse. Of thousands of digits Python would make none.
    return int(value[:30]) if value.isdigit() else 0
