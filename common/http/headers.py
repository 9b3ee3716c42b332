"""Headers that tell browsers and caches what they must not do with an answer.

An API answer is data: no page may frame it, run anything in it, or read another type into it. A route that answers a
page (`/docs`, a plugin's own) sets the headers that it needs itself; here only what is missing is added.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_EVERYWHERE: tuple[Header, ...] = (
    (b"content-security-policy", API_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # Counts for requests without CORS (`<img>`, `<script>`) only; pages that CORS allows read answers all the same.
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
# A year. Not of subdomains: they may be other people's.
_HTTPS_ONLY: Header = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE: Header = (b"cache-control", b"no-store")
# Where an answer has none of these names, as most do not, nothing has to be looked at one by one.
_USUAL = (*_EVERYWHERE, _NO_STORE)
_NAMES = frozenset({name for name, _ in _EVERYWHERE} | {b"cache-control", b"etag", b"location"})
# Kept by the browser of one caller, and asked about each time.
_ASK_AGAIN: Header = (b"cache-control", b"private, no-cache")


class SecurityHeaders:
    """Pure ASGI, around everything: also answers that no route gave carry the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message.get("headers", ()), scope)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def completed(headers: Iterable[Header], scope: Scope) -> list[Header]:
    """The headers of an answer, and those of ours that it does not set itself.

    Answers depend on who asks, so no cache keeps one that does not say how; one with an `ETag` may be asked about.
    """
    found = list(headers)
    own = {name for name, _ in found}
    if own.isdisjoint(_NAMES):
        found += _USUAL
    else:
        if b"location" in own:
            found = [_without_host(header, scope) for header in found]
        found += [header for header in _EVERYWHERE if header[0] not in own]
        if b"cache-control" not in own:
            found.append(_ASK_AGAIN if b"etag" in own else _NO_STORE)
    if scope.get("scheme") == "https" and _HTTPS_ONLY[0] not in own and not _is_local(scope):
        found.append(_HTTPS_ONLY)
    return found


def _without_host(header: Header, scope: Scope) -> Header:
    """A redirect within this server, by its path alone: the framework puts the host before it that the caller sent."""
    name, value = header
    if name != b"location":
        return header
    scheme = scope.get("scheme", "http").encode()
    for key, host in scope["headers"]:
        if key == b"host" and value.startswith(scheme + b"://" + host + b"/"):
            # One slash: with two it would name a host again.
            return name, b"/" + value[len(scheme) + 3 + len(host) :].lstrip(b"/")
    return header


def _is_local(scope: Scope) -> bool:
    """Whether the caller calls it localhost: remembered, everything else on that name would have to be https too."""
    for name, value in scope["headers"]:
        if name == b"host":
            host: bytes = value.partition(b":")[0].lower()
            return host == b"localhost" or host.endswith(b".localhost")
    return False
