"""What a request's headers ask of a prediction."""

import time

from starlette.requests import Request

from common.http.timeouts import timeout_s
from common.security.authenticate import principal_of
from common.serving.items import Asked

_PLAIN = Asked()


def asked_by(request: Request) -> Asked:
    """Read `Cache-Control` and `X-Timeout-Ms`; callers take turns by who they are.

    Raises
    ------
    Invalid
        `X-Timeout-Ms` is no number of milliseconds.
    """
    headers = request.headers
    cache, allowed_s = headers.get("cache-control", ""), timeout_s(headers.get("x-timeout-ms"))
    deadline_s = None if allowed_s is None else time.monotonic() + allowed_s
    no_store = "no-store" in cache
    caller = _caller(request)
    if not cache and deadline_s is None and not caller:
        return _PLAIN
    return Asked(no_store or "no-cache" in cache, not no_store, caller, deadline_s)


def _caller(request: Request) -> str:
    return principal_of(request).id or (request.client.host if request.client else "")
