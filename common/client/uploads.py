"""Sending a file in parts, of which those that got lost on the way are sent again."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from common.client.calls import Call, Flow
from common.client.flows import Flows

INPUTS = "/tasks/uploads"
_JSON = {"Content-Type": "application/json"}
_READ_BYTES = 1 << 20

# Called with how many parts of how many are there.
Told = Callable[[int, int], object]


def upload(
    flows: Flows, place: str, file: Path, details: Mapping[str, Any], resume: str | None, told: Told | None
) -> Flow[dict[str, Any]]:
    """Begin, or go on with, an upload at `place`, send the parts that are missing, and have them put together.

    Parameters
    ----------
    details : more members of the request that begins it.
    resume : id of an upload of the same file that broke off.

    Raises
    ------
    ValueError
        The upload to go on with is one of another file.
    OSError
        The file cannot be read.
    """
    size_bytes, sha256 = _measured(file)
    if resume is None:
        asked = {"filename": file.name, "size_bytes": size_bytes, "sha256": sha256, **details}
        answer = yield from flows.send(Call("POST", place, headers=_JSON, body=orjson.dumps(asked)))
    else:
        answer = yield from flows.send(Call("GET", one(place, resume)))
    begun: dict[str, Any] = answer.value
    if begun.get("sha256", sha256) != sha256:
        raise ValueError(f"upload {begun['id']} is one of another file than {file}")
    here, parts = set(begun.get("received") or ()), begun["parts"]
    with file.open("rb") as content:
        for number in range(1, parts + 1):
            if number in here:
                continue
            content.seek((number - 1) * begun["part_bytes"])
            part = content.read(begun["part_bytes"])
            yield from flows.send(put_part(place, begun["id"], number, part))
            here.add(number)
            if told is not None:
                told(len(here), parts)
    answer = yield from flows.send(Call("POST", one(place, begun["id"])))
    value: dict[str, Any] = answer.value
    return value


def put_part(place: str, upload_id: str, number: int, part: bytes) -> Call:
    digest = hashlib.sha256(part).hexdigest()
    headers = {"Content-Type": "application/octet-stream", "X-Checksum-Sha256": digest}
    return Call("PUT", f"{one(place, upload_id)}/parts/{number}", headers=headers, body=part)


def one(place: str, upload_id: str) -> str:
    """The path of an upload."""
    return f"{place}/{quote(upload_id, safe='')}"


def _measured(file: Path) -> tuple[int, str]:
    digest, size_bytes = hashlib.sha256(), 0
    with file.open("rb") as content:
        while chunk := content.read(_READ_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()
