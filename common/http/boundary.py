"""The outermost layer: request id, time, access log, metrics.

An exception that leaves the ASGI app loses its response under Azure Functions, and closes the connection under
uvicorn; so a guard stands around all that is inside.
"""

import random
import re
import time
from functools import lru_cache

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.http.current import CURRENT_SCOPE
from common.http.guard import Guard
from common.http.replay import is_replay
from common.telemetry import metrics, tracing
from common.telemetry.access import write_access

_GIVEN_ID = re.compile(rb"[0-9A-Za-z._:-]{1,128}")
UNMATCHED = "(unmatched)"
# Asked every few seconds by machines, and of no interest afterwards.
_QUIET = ("/health", "/metrics")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
# Prefix by id of route, for routes whose own path lacks it; filled where plugins are mounted.
MOUNTED_STATE = "mounted_prefixes"


def request_id_of(scope: Scope) -> str:
    """The caller's own `X-Request-ID` if it is short and plain, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
            given: bytes = value
            return given.decode("ascii")
    # For people to find a request by. Nothing depends on its being a secret, which a system call each would make it.
    return f"{random.getrandbits(128):032x}"


def route_template(scope: Scope) -> str:
    """The path template of the route that answered, e.g. `/docs/{name}`."""
    route = scope.get("route")
    if route is None:
        return UNMATCHED
    # A router without a prefix of its own is mounted under its plugin's name, which its routes do not know.
    state = getattr(scope.get("app"), "state", None)
    prefix: str = getattr(state, MOUNTED_STATE, {}).get(id(route), "")
    path: str = route.path
    return prefix + path


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The series of a kind of request, found once: finding them takes longer than counting."""
    return metrics.REQUESTS.labels(method, route, status), metrics.SECONDS.labels(method, route)


class RequestBoundary:
    """Pure ASGI. Sets `scope["state"]["request_id"]`, answers `X-Request-ID`, and never re-raises an `Exception`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = Guard(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        head = scope["method"] == "HEAD"
        if head:
            # Whatever answers GET answers HEAD, without the body; the web framework does so for some routes only.
            scope = {**scope, "method": "GET"}
        header = (b"x-request-id", request_id.encode())
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        current = CURRENT_SCOPE.set(scope)
        traced = None
        if tracing.spans is not None and not scope["path"].startswith(_QUIET):
            traced = tracing.spans.request(scope, "HEAD" if head else scope["method"], is_replay=is_replay(scope))
        try:
            await self.app(scope, receive, send_with_id)
            self._observe(scope, "HEAD" if head else scope["method"], status, time.perf_counter() - started)
        finally:
            if traced is not None:
                route = route_template(scope)
                traced.end(None if route == UNMATCHED else route, status)
            CURRENT_SCOPE.reset(current)

    @staticmethod
    def _observe(scope: Scope, method: str, status: int, seconds: float) -> None:
        # The template, never the path, and no invented method: a label value for each given would grow without end.
        route = route_template(scope)
        label = method if route != UNMATCHED and method in _METHODS else "*"
        requests, durations = _series(label, route, status)
        requests.inc()
        durations.observe(seconds)
        if not route.startswith(_QUIET):
            write_access(method, scope["path"], status, round(seconds * 1000, 2))
