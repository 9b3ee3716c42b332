"""The layer that counts requests, inside authentication.

The headers are the three of draft-ietf-httpapi-ratelimit-headers-03 to -06, which gateways have written for years.
Later drafts put them into one structured field (`RateLimit`), and may still change; a client that knows none of them
needs no more than `Retry-After`.
"""

import math
from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import TooManyRequests
from common.http.problems import problem_response
from common.http.replay import is_replay
from common.security.limits.bucket import Rate, Verdict
from common.security.principal import ANONYMOUS, Principal
from common.telemetry import metrics

_FREE = "/health"


class Buckets(Protocol):
    """Where tokens are kept: a bucket a caller, all of one rate. Never fails."""

    rate: Rate

    async def take(self, caller: str) -> Verdict: ...


class Limits:
    """Pure ASGI. A caller who asks too much is answered 429, with the time after which the next request succeeds.

    A caller is a key or token's subject, wherever it calls from; without one it is an address. Health checks are not
    counted, nor what the process asks itself.

    Parameters
    ----------
    client : the address that a request comes from, as it is counted.
    """

    def __init__(self, app: ASGIApp, buckets: Buckets, client: Callable[[Scope], str]) -> None:
        self.app = app
        self._buckets = buckets
        self._client = client
        rate = buckets.rate
        self._limit = (b"ratelimit-limit", str(rate.burst).encode())
        self._allowed = f"{rate.per_s:g} a second are allowed, {rate.burst} at once"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_free(scope["path"]) or is_replay(scope):
            await self.app(scope, receive, send)
            return
        principal: Principal = scope.get("state", {}).get("principal", ANONYMOUS)
        verdict = await self._buckets.take(principal.id or self._client(scope))
        headers = (
            self._limit,
            (b"ratelimit-remaining", b"%d" % verdict.remaining),
            (b"ratelimit-reset", b"%d" % math.ceil(verdict.reset_s)),
        )

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if verdict.allowed:
            await self.app(scope, receive, send_counted)
            return
        metrics.LIMITED.labels("rate").inc()
        caller = "key" if principal.id else "address"
        error = TooManyRequests(
            f"too many requests from this {caller}: {self._allowed}; wait as long as Retry-After says, and send fewer",
            retry_after_s=verdict.retry_after_s,
        )
        await problem_response(error, scope)(scope, receive, send_counted)


def _is_free(path: str) -> bool:
    return path == _FREE or path.startswith(_FREE + "/")
