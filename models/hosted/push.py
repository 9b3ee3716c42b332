"""Sending a model to a server from anywhere: in parts, of which those that got lost on the way are sent again."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from common.client.calls import Call, Flow
from common.client.flows import Flows

_PATH = "/hosted/uploads"
_JSON = {"Content-Type": "application/json"}
_CHUNK_BYTES = 1 << 20

Told = Callable[[str, int, int], object]


def push(flows: Flows, file: Path, tag: str, details: Mapping[str, Any], told: Told) -> Flow[dict[str, Any]]:
    """Upload a file as a version of `tag`; what the server says of it.

    Parameters
    ----------
    details : more members of the upload that are not None: `model_description`, `library_version`, `alias`, `metrics`.
    told : called with what is done, and how many of how many parts are there.

    Raises
    ------
    AtollClientError
        The server refuses the file, or does not answer.
    OSError
        The file cannot be read.
    """
    size_bytes, sha256 = _measured(file)
    asked = {"tag": tag, "filename": file.name, "size_bytes": size_bytes, "sha256": sha256}
    asked |= {name: value for name, value in details.items() if value is not None}
    answer = yield from flows.send(Call("POST", _PATH, headers=_JSON, body=orjson.dumps(asked)))
    upload = answer.value
    place = f"{_PATH}/{upload['id']}"
    with file.open("rb") as content:
        for number in range(1, upload["parts"] + 1):
            told("sending", number - 1, upload["parts"])
            part = content.read(upload["part_bytes"])
            headers = {
                "Content-Type": "application/octet-stream",
                "X-Checksum-Sha256": hashlib.sha256(part).hexdigest(),
            }
            yield from flows.send(Call("PUT", f"{place}/parts/{number}", headers=headers, body=part))
    told("checking", upload["parts"], upload["parts"])
    answer = yield from flows.send(Call("POST", place))
    found: dict[str, Any] = answer.value
    return found


def _measured(file: Path) -> tuple[int, str]:
    digest, size_bytes = hashlib.sha256(), 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()
