"""The name that a request was sent to.

Nothing that Atoll answers is made from it: no redirect, no link. What is refused here is a request whose name cannot
be read in one way only (RFC 9112, 3.2), and, where `ALLOWED_HOSTS` names those of the installation, one for another.
`X-Forwarded-Host`, `X-Original-URL` and their like are read nowhere.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import BadRequest, Misdirected
from common.http.problems import problem_response
from common.http.replay import is_replay

_HOST = re.compile(rb"([A-Za-z0-9_.~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_MAX_BYTES = 300
# Asked by address: probes know no name.
_PROBES = "/health/"


class AllowedHosts:
    """Pure ASGI. A request without one readable `Host` is answered 400, one for another installation 421.

    Parameters
    ----------
    hosts : names in lower case; `*.example.org` is every name below `example.org`; none for any.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self._hosts = frozenset(hosts)
        # Callers send the same few, and a stranger's inventions must not fill the memory.
        self._judge = lru_cache(maxsize=256)(self._judged)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_replay(scope):
            await self.app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"host"]
        error: BadRequest | Misdirected | None
        if len(given) == 1 and len(given[0]) <= _MAX_BYTES:
            error = self._judge(given[0])
        elif not given and not self._hosts:
            # HTTP/1.0, and hosts that make requests of their own.
            error = None
        else:
            error = BadRequest("send one Host header, with the name of this server")
        if error is None or (isinstance(error, Misdirected) and scope["path"].startswith(_PROBES)):
            await self.app(scope, receive, send)
        else:
            await problem_response(error, scope)(scope, receive, send)

    def _judged(self, given: bytes) -> BadRequest | Misdirected | None:
        found = _HOST.fullmatch(given)
        if found is None:
            return BadRequest("the Host header is no host name or address, with or without a port")
        host = found[1].decode().lower().rstrip(".")
        if self._hosts and not self._allows(host):
            return Misdirected(f"this server does not answer for {host[:80]!r}; ALLOWED_HOSTS names those it does")
        return None

    def _allows(self, host: str) -> bool:
        if host in self._hosts or host.strip("[]") in self._hosts:
            return True
        above = host.split(".")[1:]
        return any("*." + ".".join(above[first:]) in self._hosts for first in range(len(above)))
