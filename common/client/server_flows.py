"""What a client asks of a server itself, step by step, without doing it (`common.client.flows`)."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.client.calls import Answer, Call, Emit, Flow, Lost
from common.client.flows import Flows, zoned


def is_well(path: str) -> Flow[bool]:
    """Asked once: that it does not answer is an answer."""
    outcome: Answer | Lost = yield Call("GET", path)
    return isinstance(outcome, Answer) and outcome.status == 200


def text(flows: Flows, path: str) -> Flow[str]:
    answer = yield from flows.send(Call("GET", path))
    return answer.body.decode("utf-8", "replace")


def audit(
    flows: Flows, after: datetime | str | None, before: datetime | str | None, page_size: int, **filters: Any
) -> Flow[None]:
    """Emits records, page by page."""
    filters |= {
        name: zoned(moment) if isinstance(moment, datetime) else moment
        for name, moment in (("after", after), ("before", before))
    }
    cursor = None
    while True:
        page = yield from flows.get("/audit", cursor=cursor, limit=page_size, **filters)
        yield Emit(page["records"])
        cursor = page["next"]
        if cursor is None:
            return


def put_file(flows: Flows, dataset: str, file: Path, name: str | None) -> Flow[dict[str, Any]]:
    content = file.read_bytes()
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Checksum-Sha256": hashlib.sha256(content).hexdigest(),
    }
    answer = yield from flows.send(Call("PUT", _place(dataset, name or file.name), headers=headers, body=content))
    value: dict[str, Any] = answer.value
    return value


def read_file(flows: Flows, dataset: str, name: str) -> Flow[bytes]:
    answer = yield from flows.send(Call("GET", _place(dataset, name)))
    return answer.body


def delete_file(flows: Flows, dataset: str, name: str) -> Flow[None]:
    yield from flows.send(Call("DELETE", _place(dataset, name)))


def _place(dataset: str, name: str) -> str:
    return f"/datasets/{quote(dataset, safe='')}/{quote(name, safe='')}"
