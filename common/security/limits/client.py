"""Where a request comes from. Pure.

The address is that of the connection. Only if the connection comes from one of `TRUSTED_PROXIES` does its
`X-Forwarded-For` count: each proxy appends the address that it was called from, so the list is read from its end for
as long as the entries are trusted proxies themselves; whatever stands further left was written by who knows whom.

No other header is read. `Forwarded` (RFC 7239), `X-Real-IP`, `X-Client-IP` and Front Door's `X-Azure-ClientIP` are
passed on as the client wrote them by every proxy that does not set them itself.

Under Azure Functions there is no connection: the worker has requests from the host by gRPC, and `scope["client"]` is
None. The platform's front end appends the address and port that called it to `X-Forwarded-For`, so the last entry is
as good as a connection's. Behind Front Door the list is `client, ..., front door:port`
(https://github.com/sergiodxa/remix-utils/pull/496 shows one): list its addresses (service tag
`AzureFrontDoor.Backend`) in `TRUSTED_PROXIES`.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
# A chain of proxies is short; a header of a megabyte of commas is an attack.
_MAX_HOPS = 20
_MAX_ENTRY_CHARS = 64
# What one customer of a provider gets at least: RFC 6177.
_IPV6_PREFIX = 64


def client_of(scope: Scope, trusted: Sequence[Network] = (), *, on_platform: bool = False) -> str:
    """The client's address as text, an IPv6 one as its /64 network; `unknown` where nothing tells.

    Parameters
    ----------
    trusted : networks of the proxies that are believed.
    on_platform : the app runs under Azure Functions, whose front end writes the last entry of `X-Forwarded-For`.
    """
    peer = scope.get("client")
    if peer is not None:
        if not trusted:
            return named(peer[0])
        found = parsed(peer[0])
        rest = _forwarded(scope) if found is not None and _is_trusted(found, trusted) else []
    elif on_platform:
        rest = _forwarded(scope)
        found = parsed(rest.pop()) if rest else None
    else:
        return UNKNOWN
    while rest and found is not None and _is_trusted(found, trusted):
        further = parsed(rest.pop())
        if further is None:
            break
        found = further
    return UNKNOWN if found is None else _counted(found)


@lru_cache(maxsize=4096)
def named(text: str) -> str:
    """An address as it is counted."""
    found = parsed(text)
    return UNKNOWN if found is None else _counted(found)


def parsed(text: str) -> Address | None:
    """The address of `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1` or `[2001:db8::1]:80`; None of anything else."""
    text = text.strip()
    if len(text) > _MAX_ENTRY_CHARS:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # A zone (`fe80::1%eth0`) names an interface of whoever wrote it.
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _counted(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    network = int(address) >> (128 - _IPV6_PREFIX) << (128 - _IPV6_PREFIX)
    return f"{IPv6Address(network)}/{_IPV6_PREFIX}"


def _is_trusted(address: Address, trusted: Iterable[Network]) -> bool:
    return any(address in network for network in trusted)


def _forwarded(scope: Scope) -> list[str]:
    """The last entries of `X-Forwarded-For`; the header may stand more than once."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:] if values else []
