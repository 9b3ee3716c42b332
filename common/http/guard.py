"""Whatever goes wrong inside is logged, and answered 500; or 424 where something that Atoll needs is away."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import AtollError, Unavailable
from common.http.dependencies import dependency_down
from common.http.problems import problem_response
from common.telemetry.logs import get_logger

log = get_logger("atoll.http")


class Guard:
    """Pure ASGI. Nothing that goes wrong passes; once the response has started nothing more can be answered.

    It stands within CORS, so that a page can read the answer, and again around everything.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except asyncio.CancelledError:
            # The server stops and has waited long enough. Passed on, it would be answered in plain text.
            if not started:
                stopping = Unavailable("the server is stopping; try again", retry_after_s=5)
                await problem_response(stopping, scope)(scope, receive, send)
        # SystemExit too: a route written as a script must not end the server.
        except (Exception, SystemExit) as exc:
            down = dependency_down(exc)
            if down is None:
                log.error("request failed", path=scope["path"], exc_info=exc)
            else:
                # Without the traceback: it says nothing that the error does not, once for each request.
                log.error("a dependency is down", path=scope["path"], error=f"{type(exc).__name__}: {exc}"[:300])
            if not started:
                await problem_response(down or AtollError(), scope)(scope, receive, send)
