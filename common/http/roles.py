"""A process without the role `http` serves nobody: it says how it is, and runs jobs or timers."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import NotFound
from common.http.problems import problem_response
from common.http.replay import is_replay

# What probes and Prometheus ask of every process.
_ANSWERED = ("/health", "/metrics")


class NoHttp:
    """Pure ASGI; for processes without the role. Jobs that its workers replay through the app pass.

    Parameters
    ----------
    roles : that the process has instead, to be named in the answer.
    """

    def __init__(self, app: ASGIApp, roles: Iterable[str]) -> None:
        self.app = app
        self._detail = (
            f"this process serves no requests: ATOLL_ROLES is {','.join(sorted(roles))}; "
            "send them to one with the role http. Here /health/live, /health/ready and /metrics answer"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_answered = any(path == own or path.startswith(own + "/") for own in _ANSWERED)
        if scope["type"] != "http" or is_answered or is_replay(scope):
            await self.app(scope, receive, send)
            return
        await problem_response(NotFound(self._detail), scope)(scope, receive, send)
