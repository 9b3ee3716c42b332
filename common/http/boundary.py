"""The outermost layer: request id, time, access log, metrics.

An exception that leaves the ASGI app loses its response under Azure Functions, and closes the connection under
uvicorn; so a guard stands around all that is inside.
"""

import re
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars, unbind_contextvars

from common.http.current import CURRENT_SCOPE
from common.http.guard import Guard
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.http")

_GIVEN_ID = re.compile(rb"[0-9A-Za-z._:-]{1,128}")
UNMATCHED = "(unmatched)"
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
# Prefix by id of route, for routes whose own path lacks it; filled where plugins are mounted.
MOUNTED_STATE = "mounted_prefixes"


def request_id_of(scope: Scope) -> str:
    """The caller's own `X-Request-ID` if it is short and plain, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
            given: bytes = value
            return given.decode("ascii")
    return uuid.uuid4().hex


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

        tokens = bind_contextvars(request_id=request_id)
        current = CURRENT_SCOPE.set(scope)
        try:
            await self.app(scope, receive, send_with_id)
            self._observe(scope, "HEAD" if head else scope["method"], status, time.perf_counter() - started)
        finally:
            CURRENT_SCOPE.reset(current)
            reset_contextvars(**tokens)
            # Bound by authentication, within; the access log is written here.
            unbind_contextvars("principal")

    @staticmethod
    def _observe(scope: Scope, method: str, status: int, seconds: float) -> None:
        # The template, never the path, and no invented method: a label value for each given would grow without end.
        route = route_template(scope)
        label = method if route != UNMATCHED and method in _METHODS else "*"
        metrics.REQUESTS.labels(label, route, status).inc()
        metrics.SECONDS.labels(label, route).observe(seconds)
        if not route.startswith(("/health", "/metrics")):
            log.info("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 2))
