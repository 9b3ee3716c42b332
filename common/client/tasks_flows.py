"""What a client does with tasks and clusters, step by step, without doing it (`common.client.flows`)."""

import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from common.client.calls import Answer, Call, Emit, Flow, Sleep
from common.client.errors import AtollClientError, refused
from common.client.flows import Flows
from common.client.programs import multipart
from common.client.retry import WAITING, next_poll_s
from common.client.tasks_view import TaskView
from common.clock import new_id

_LOG_BYTES = 1 << 20
_FILE_BYTES = 8 << 20
_LOG = re.compile(r"task(?:-(\d{1,6}))?\.log")
NEXT, COMPLETE = "x-log-next", "x-log-complete"


def submit(
    flows: Flows,
    config: Mapping[str, Any],
    name: str,
    program: bytes,
    inputs: Sequence[tuple[str, bytes]],
    idempotency_key: str | None,
) -> Flow[dict[str, Any]]:
    """The task that was accepted. Sent again where no answer came, it makes no second one."""
    body, content_type = multipart(config, name, program, inputs)
    headers = {"Content-Type": content_type, "Idempotency-Key": idempotency_key or new_id()}
    answer = yield from flows.send(Call("POST", "/tasks", headers=headers, body=body))
    value: dict[str, Any] = answer.value
    return value


def preview(
    flows: Flows, config: Mapping[str, Any], name: str, program: bytes, inputs: Sequence[tuple[str, bytes]]
) -> Flow[str]:
    """The script or manifest that would be submitted."""
    body, content_type = multipart(config, name, program, inputs)
    headers = {"Content-Type": content_type, "Accept": "text/plain"}
    answer = yield from flows.send(Call("POST", "/tasks/preview", headers=headers, body=body))
    value = answer.value
    return value if isinstance(value, str) else str(value["script"])


def tasks(flows: Flows, **filters: Any) -> Flow[None]:
    """Emits tasks, page by page."""
    cursor = None
    while True:
        page = yield from flows.get("/tasks", cursor=cursor, **filters)
        yield Emit(page["tasks"])
        cursor = page["next"]
        if cursor is None:
            return


def log_parts(flows: Flows, task: TaskView, element: int | None, follow: bool, tail: int | None = None) -> Flow[None]:
    """Emits what the program wrote, as bytes: what there is, or all until it has finished."""
    offset, quiet = 0, 0
    while True:
        asked = {"tail": tail} if tail is not None else {"offset": offset, "limit": _LOG_BYTES}
        query = {name: value for name, value in {**asked, "element": element}.items() if value is not None}
        answer: Answer = yield from flows.send(Call("GET", f"{task.place}/logs", query), WAITING if follow else None)
        offset, tail = int(answer.headers.get(NEXT, offset + len(answer.body))), None
        if answer.body:
            quiet = 0
            yield Emit([answer.body])
        if answer.headers.get(COMPLETE, "").lower() == "true" or not (follow or answer.body):
            return
        if not answer.body:
            quiet += 1
            yield Sleep(next_poll_s(quiet, None))


def logs(flows: Flows, task: TaskView, element: int | None, follow: bool, tail: int | None) -> Flow[None]:
    """Emits lines of what the program wrote, without their ends."""
    begun = ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts, told = log_parts(flows, task, element, follow, tail), None
    while True:
        try:
            wanted = parts.send(told)
        except StopIteration:
            break
        if isinstance(wanted, Emit):
            *lines, begun = (begun + "".join(map(decoder.decode, wanted.items))).split("\n")
            yield Emit(lines)
            told = None
        else:
            told = yield wanted
    begun += decoder.decode(b"", final=True)
    if begun:
        yield Emit([begun])


def files(flows: Flows, task: TaskView) -> Flow[list[dict[str, Any]]]:
    """The files that it left."""
    found = yield from flows.get(f"{task.place}/files")
    listed: list[dict[str, Any]] = found["files"]
    return listed


def download(flows: Flows, task: TaskView, path: str) -> Flow[None]:
    """Emits the bytes of a file, in parts. A log is as the server shows it, with secrets covered."""
    if (log := _LOG.fullmatch(path)) is not None:
        yield from log_parts(flows, task, int(log[1]) if log[1] else None, follow=False)
        return
    place, start, etag = f"{task.place}/files/{quote(path)}", 0, None
    while True:
        headers = {"Range": f"bytes={start}-{start + _FILE_BYTES - 1}"}
        if etag:
            headers["If-Range"] = etag
        try:
            answer: Answer = yield from flows.send(Call("GET", place, headers=headers))
        except AtollClientError as exc:
            # An empty file has no range.
            if exc.status == 416 and not start:
                return
            raise
        if answer.status == 200 and start:
            raise refused(Answer(409, {}, b"the file has changed while it was read; ask for it again"))
        yield Emit([answer.body])
        start += len(answer.body)
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        if answer.status == 200 or not total.isdecimal() or start >= int(total) or not answer.body:
            return
        etag = answer.headers.get("etag")


def clusters(flows: Flows) -> Flow[list[dict[str, Any]]]:
    """The clusters, and how each is."""
    found = yield from flows.get("/clusters")
    listed: list[dict[str, Any]] = found["clusters"]
    return listed
