"""Cross-origin access for the pages named in `CORS_ORIGINS`."""

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Any header may be sent with them (`Authorization`, `Idempotency-Key`, …): the key decides what may be done.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_VARY = (b"vary", b"Origin")
_EXPOSED = (
    "ETag",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
    "X-Cache",
    "X-Model-Alias",
    "X-Model-Version",
    "X-Request-ID",
)


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
        await self.app(scope, receive, self._varying(send) if scope["type"] == "http" else send)

    @staticmethod
    def _varying(send: Send) -> Send:
        """Tell caches that another origin may get another answer."""

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                if any(name == b"vary" for name, _ in headers):
                    MutableHeaders(scope=message).add_vary_header("Origin")
                else:
                    message["headers"] = [*headers, _VARY]
            await send(message)

        return send_varying
