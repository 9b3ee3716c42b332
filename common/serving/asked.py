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
    cache = allowed = None
    # Once through, as they came: the framework's mapping goes through all of them for each name.
    for name, value in request.scope["headers"]:
        if name == b"cache-control":
            cache = cache or value.decode("latin-1")
        elif name == b"x-timeout-ms":
            allowed = allowed or value.decode("latin-1")
    cache, allowed_s = cache or "", timeout_s(allowed)
    deadline_s = None if allowed_s is None else time.monotonic() + allowed_s
    no_store = "no-store" in cache
    caller = _caller(request)
    if not cache and deadline_s is None and not caller:
        return _PLAIN
    return Asked(no_store or "no-cache" in cache, not no_store, caller, deadline_s)


def _caller(request: Request) -> str:
    return principal_of(request).id or (request.client.host if request.client else "")
