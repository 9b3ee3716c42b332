"""Cross-origin access for the pages named in `CORS_ORIGINS`."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "POST", "OPTIONS")
_EXPOSED = ("ETag", "Location", "Retry-After", "X-Cache", "X-Request-ID")


class Cors(CORSMiddleware):
    """Starlette's middleware, but an origin that is not allowed gets no CORS header at all, nor a preflight answer."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app, allow_origins=origins, allow_methods=_METHODS, allow_headers=("*",), expose_headers=_EXPOSED
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"origin" and self.is_allowed_origin(value.decode("latin-1")):
                    await super().__call__(scope, receive, send)
                    return
        await self.app(scope, receive, send)
