"""From names to hosts: a name stands for every address that DNS has of it."""

import asyncio
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from common.telemetry.logs import get_logger
from models.hosted.hosts.choice import Host

log = get_logger("atoll.hosted")

# A host that was added takes part after as long.
_TRUST_S = 5.0


class Names:
    """Looks the names of `MODEL_HOSTS` up, again every few seconds. For one event loop at a time.

    Parameters
    ----------
    given : `host:port`, or `http(s)://host:port`.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self._given = tuple(given)
        self._hosts: tuple[Host, ...] = ()
        self._until_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def hosts(self) -> tuple[Host, ...]:
        """What was known goes on where a name cannot be looked up, and while it is; none where it never could."""
        if self._looking is None and time.monotonic() >= self._until_s:
            self._looking = asyncio.ensure_future(self._look())
        if not self._hosts and self._looking is not None:
            # For all that wait: whoever goes away must not end it.
            await asyncio.shield(self._looking)
        return self._hosts

    async def _look(self) -> None:
        try:
            found = [host for name in self._given for host in await _look_up(name)]
            self._hosts = tuple(dict.fromkeys(found)) or self._hosts
        finally:
            self._until_s = time.monotonic() + _TRUST_S
            self._looking = None


async def _look_up(given: str) -> list[Host]:
    parts = urlsplit(given if "://" in given else f"http://{given}")
    name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        log.warning("a model host's name cannot be looked up", name=name, error=str(exc))
        return []
    addresses = sorted({str(address[0]) for *_, address in found})
    return [Host(f"{parts.scheme}://{f'[{item}]' if ':' in item else item}:{port}", parts.netloc) for item in addresses]
