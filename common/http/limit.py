"""The largest request body that is read."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import TooLarge
from common.http.problems import problem_response


class BodyLimit:
    """Pure ASGI. A larger body is answered 413: at once if its length is declared, else as soon as it is too long.

    The web framework has a limit of its own; its answer is plain text, and passes by every layer of ours.

    Parameters
    ----------
    exempt : method -> path prefix of the routes that count for themselves.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, exempt: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self._exempt = dict(exempt or {})
        self._detail = f"the body is larger than {max_bytes} bytes; send less, or raise MAX_BODY_BYTES"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_exempt(scope):
            await self.app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self.max_bytes:
                await problem_response(TooLarge(self._detail), scope)(scope, receive, send)
                return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                # Of all errors, the framework lets only its own through while it reads a body.
                raise HTTPException(TooLarge.status, self._detail)
            return message

        await self.app(scope, receive_some, send)

    def _is_exempt(self, scope: Scope) -> bool:
        prefix = self._exempt.get(scope["method"])
        return prefix is not None and scope["path"].startswith(prefix)
