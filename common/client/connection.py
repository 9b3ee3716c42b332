"""Where a client connects to, and how."""

import os
from typing import Any
from urllib.parse import urlsplit

import httpx

from common.client.calls import Call
from common.version import VERSION

DEFAULT_URL = "http://127.0.0.1:7071"
# Azure Functions answers within 230 s or not at all.
TIMEOUT_S = 240.0
_CONNECT_S = 10.0


def address(url: str | None) -> str:
    """The base address: the one given, `ATOLL_URL`, or the local host's.

    Raises
    ------
    ValueError
        It is no http(s) address.
    """
    url = (url or os.environ.get("ATOLL_URL") or DEFAULT_URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no address of a server; give one like {DEFAULT_URL}")
    return url


def options(url: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Arguments of `httpx.Client` and `httpx.AsyncClient`. The key is `ATOLL_KEY` unless one is given.

    Raises
    ------
    ValueError
        The key cannot stand in a header.
    """
    key = (os.environ.get("ATOLL_KEY", "") if key is None else key).strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the key (ATOLL_KEY) has characters that no key has")
    headers = {"User-Agent": f"atoll-client/{VERSION}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {
        "base_url": url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
    }


def request(call: Call) -> dict[str, Any]:
    """Arguments of `request` of either client."""
    return {
        "method": call.method,
        "url": call.path,
        # An empty mapping would take away the query that stands in the path.
        "params": call.query or None,
        "headers": call.headers,
        "content": call.body,
    }
