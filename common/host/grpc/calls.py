"""A gRPC call as a request to the app, within this process: through all layers, as from outside."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import ASGIApp, Scope

from common.http.replay import Replayed, exchange

# Of HTTP's own, or of the body that is made here; never the caller's to say.
_OWN = ("grpc-", ":", "content-", "inference-header-", "transfer-", "host", "connection", "te")


@dataclass(frozen=True)
class Caller:
    """Where a call comes from, and what it carries.

    Parameters
    ----------
    peer : as gRPC tells it: `ipv4:127.0.0.1:1234`.
    server : address and port that are listened on.
    metadata : of the call.
    host : for the `Host` header; None for none.
    time_remaining_s : until the caller's deadline; None without one.
    is_tls : the connection is encrypted.
    """

    peer: str
    server: tuple[str, int]
    metadata: Iterable[tuple[str, str | bytes]] = ()
    host: str | None = None
    time_remaining_s: float | None = None
    is_tls: bool = False

    def headers(self) -> list[tuple[bytes, bytes]]:
        found = [
            (name.lower().encode(), value.encode("latin-1", "replace"))
            for name, value in self.metadata
            # Binary ones have no text that a header could carry.
            if isinstance(value, str) and not name.lower().startswith(_OWN)
        ]
        if self.host is not None:
            found.append((b"host", self.host.encode()))
        names = {name for name, _ in found}
        if self.time_remaining_s is not None and b"x-timeout-ms" not in names:
            # Longer than anybody waits is no deadline.
            ms = int(self.time_remaining_s * 1000)
            if ms < 24 * 3600 * 1000:
                found.append((b"x-timeout-ms", b"%d" % max(1, ms)))
        return found


async def call(
    app: ASGIApp,
    caller: Caller,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> Replayed:
    """Send one request to `app`."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "2",
        "method": method,
        "scheme": "https" if caller.is_tls else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*caller.headers(), *headers, (b"content-length", b"%d" % len(body))],
        "client": client_of(caller.peer),
        "server": caller.server,
    }
    # gRPC cancels the call when its caller goes away.
    return await exchange(app, scope, body)


def client_of(peer: str) -> tuple[str, int] | None:
    """Address and port of gRPC's name for a peer; None of one without (`unix:`)."""
    kind, _, rest = unquote(peer).partition(":")
    address, _, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return address.strip("[]"), int(port)
