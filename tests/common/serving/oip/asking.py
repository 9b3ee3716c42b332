"""Requests of the protocol, as clients send them."""

import json
from pathlib import Path
from typing import Any

import httpx

PLUGINS = Path(__file__).parent / "plugins"
LENGTH = "inference-header-content-length"


def tensor(name: str, datatype: str, shape: list[int], data: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape} | more
    return made if data is None else made | {"data": data}


def binary(document: dict[str, Any], *parts: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request with binary data."""
    head = json.dumps(document).encode()
    return b"".join((head, *parts)), {LENGTH: str(len(head))}


def split(response: httpx.Response) -> tuple[dict[str, Any], bytes]:
    """The JSON of an answer with binary data, and the data."""
    length = int(response.headers[LENGTH])
    document: dict[str, Any] = json.loads(response.content[:length])
    return document, response.content[length:]
