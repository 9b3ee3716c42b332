"""Which addresses this installation may call on somebody's behalf. Pure: no name is looked up here.

Whoever gives a server an address to call could make it call its own network: the database beside it, the cloud's
metadata service. So only public addresses are called, by https, unless the operator lists an exception.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_CHARS = 2000

# Public by their numbers, yet served inside: Azure's platform (DNS, agent, certificates) and 6to4's relays.
_INSIDE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",
        "192.88.99.0/24",
        "64:ff9b:1::/48",  # NAT64 with a prefix of one's own
        "2001::/23",  # Teredo and other protocols' own
        "::/96",  # IPv4 in IPv6, abandoned
        "fec0::/10",  # site-local, abandoned
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_][a-z0-9_-]{0,62}\.)*[a-z0-9_][a-z0-9_-]{0,62}\.?", re.I)
# What `inet_aton` and so any resolver reads as an address: `127.1`, `0x7f000001`, `2130706433`.
_OLD_NOTATION = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}", re.I)
_FORBIDDEN_IN_URL = re.compile(r"""[^!-~]|["<>\\^`{|}]""")


class Refused(ValueError):
    """The address may not be called. The text, after its name, says why and what may be; no secret part of it."""


@dataclass(frozen=True)
class Allowance:
    """What may be called though it is private, or not by https.

    Parameters
    ----------
    hosts : names, in lower case; `*.example.org` is every name below `example.org`.
    networks : addresses, whatever name leads to them.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "Allowance":
        """Read host names, addresses and CIDRs. Raises ValueError where an entry is none of them."""
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry.strip("[]")))
            except ValueError:
                if "/" in entry or not _HOST_NAME.fullmatch(entry.removeprefix("*.")) or _OLD_NOTATION.fullmatch(entry):
                    raise ValueError(f"{entry!r} is no host name, address or CIDR, e.g. `10.1.0.0/16`") from None
                hosts.add(_plain(entry))
        return cls(frozenset(hosts), tuple(networks))

    def has_host(self, host: str) -> bool:
        name = _plain(host)
        above = name.split(".")[1:]
        wildcards = (f"*.{'.'.join(above[i:])}" for i in range(len(above)))
        return name in self.hosts or any(wildcard in self.hosts for wildcard in wildcards)

    def has_address(self, address: Address) -> bool:
        return any(found in network for found in _readings(address) for network in self.networks)

    def check_address(self, host: str, address: Address, *, only_listed: bool = False) -> None:
        """Refuse an address to which `host` resolved, unless it is public, or listed by its name or itself.

        Parameters
        ----------
        only_listed : refuse public ones too, as for plain http.
        """
        if self.has_host(host) or self.has_address(address):
            return
        if not is_public(address):
            raise Refused("leads to a private address; give an https address that is reachable from the internet")
        if only_listed:
            raise Refused("is plain http, which is not allowed there; give an https address")

    def check_url(self, url: str) -> SplitResult:
        """Refuse what can be known to be wrong before a name is looked up; the URL's parts.

        A name may still lead anywhere: `check_address` has the last word, with the address that is connected to.
        """
        parts, port = _split(url)
        host = parts.hostname or ""
        address = literal(host)
        if port == 0 or not host or (address is None and not _HOST_NAME.fullmatch(host)):
            raise Refused("has no usable host; give an address such as https://example.org/hook")
        if address is not None:
            self.check_address(host, address, only_listed=parts.scheme == "http")
        elif not self.has_host(host):
            # With networks listed, the address that the name leads to decides.
            if parts.scheme == "http" and not self.networks:
                raise Refused("is plain http, which is not allowed there; give an https address")
            if (_plain(host) == "localhost" or _plain(host).endswith(".localhost")) and not self.networks:
                raise Refused("leads to a private address; give an https address that is reachable from the internet")
        return parts


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet at large; an IPv6 address that wraps an IPv4 one is both."""
    return all(
        found.is_global
        and not (found.is_multicast or found.is_reserved or found.is_unspecified)
        and not any(found in network for network in _INSIDE)
        for found in _readings(address)
    )


def literal(host: str) -> Address | None:
    """The address that a URL's host spells out, in any notation; None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not _OLD_NOTATION.fullmatch(host.rstrip(".")):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _readings(address: Address) -> tuple[Address, ...]:
    """Where packets for an address end: in the IPv4 one that it wraps, or there itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return (address.ipv4_mapped,)
        if address.sixtofour is not None:
            return (address, address.sixtofour)
        if address in _NAT64:
            return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)


def _split(url: str) -> tuple[SplitResult, int | None]:
    """A URL's parts. Read strictly: two readers that differ about a URL check one host and call another."""
    if len(url) > URL_CHARS:
        raise Refused(f"is longer than {URL_CHARS} characters")
    if _FORBIDDEN_IN_URL.search(url):
        raise Refused("has a character that no URL has; write it as %XX, and a host as xn--...")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("is no URL; give one such as https://example.org/hook") from None
    if parts.scheme not in ("http", "https"):
        raise Refused("is not an https address, such as https://example.org/hook")
    return parts, port


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
