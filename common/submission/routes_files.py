"""`/tasks/{id}/logs` and `/tasks/{id}/files`: what a program wrote, and what it left."""

from itertools import chain
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from common.http.conditional import is_unchanged, not_modified
from common.http.openapi import problem_answer
from common.storage import FileInfo, Share
from common.submission import ranges
from common.submission.accepting import tasks_of
from common.submission.definitions import FileEntry, TaskFiles
from common.submission.records import Task
from common.submission.routes import POLL_S, UNKNOWN, seen

router = APIRouter(prefix="/tasks", tags=["Tasks"])

NEXT, COMPLETE, SIZE = "X-Log-Next", "X-Log-Complete", "X-Log-Size"
_MAX_LOG_BYTES = 8 << 20
_LOG_BYTES = 1 << 20
_TEXT = "text/plain; charset=utf-8"
_DOWN: dict[int | str, dict[str, Any]] = {424: problem_answer("The cluster or the share does not answer.")}
_RANGES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range asked for."},
    416: problem_answer("The range begins behind the end; `Content-Range` tells the size."),
}
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

Element = Annotated[int | None, Query(ge=0, le=999_999, description="Of an array: the index.")]
Attempt = Annotated[int | None, Query(ge=1, le=9999, description="An earlier attempt; by default the last one.")]


@router.get(
    "/{task_id}/logs",
    summary="What a program wrote",
    response_class=Response,
    responses=UNKNOWN | _DOWN | _RANGES | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_log(
    request: Request,
    task_id: str,
    offset: Annotated[int, Query(ge=0, le=2**53, description="First byte.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_LOG_BYTES, description="Bytes at most.")] = _LOG_BYTES,
    tail: Annotated[int | None, Query(ge=1, le=100_000, description="The last lines, so many.")] = None,
    element: Element = None,
    attempt: Attempt = None,
    range_: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
) -> Response:
    """Follow it by polling: `X-Log-Next` is the next `offset`, and `X-Log-Complete: true` says that all was read."""

    def read() -> Response:
        # Brings SQL, which a process that sees no task does without.
        from common.submission import reading

        system, task = tasks_of(request), seen(request, task_id)
        headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes"}
        if tail is not None:
            log = reading.read_tail(system, task, tail, element, attempt)
        elif range_ is None:
            log = reading.read_log(system, task, offset, limit, element, attempt)
        else:
            size_bytes = reading.size_of(system, task, element, attempt)
            asked = ranges.asked(range_, size_bytes)
            start, end = asked or (0, size_bytes)
            log = reading.read_log(system, task, start, max(1, min(end - start, _MAX_LOG_BYTES)), element, attempt)
            if asked is not None and log.content:
                total = max(size_bytes, log.size_bytes or 0)
                headers |= ranges.content_range(start, log.next, total)
        headers |= {NEXT: str(log.next), COMPLETE: str(log.is_complete).lower()}
        if log.size_bytes is not None:
            headers[SIZE] = str(log.size_bytes)
        if not log.is_complete:
            headers["Retry-After"] = str(POLL_S)
        return Response(log.content, 206 if "Content-Range" in headers else 200, headers, media_type=_TEXT)

    return await run_in_threadpool(read)


@router.get("/{task_id}/files", summary="Files that a task left", responses=UNKNOWN | _DOWN)
async def list_files(request: Request, task_id: str, attempt: Attempt = None) -> TaskFiles:
    """What lay in its `output` folder, and its logs. They are here when it has finished; `complete` says so."""

    def read() -> TaskFiles:
        from common.submission import reading

        task = seen(request, task_id)
        found = reading.list_files(tasks_of(request), task, attempt)
        state = reading.files_state(task, attempt)
        query = "" if attempt is None else f"?attempt={attempt}"
        entries = [
            FileEntry(
                path=info.path,
                size_bytes=info.size_bytes,
                link=f"/tasks/{task.id}/files/{quote(info.path)}{query}",
            )
            for info in found
        ]
        is_complete = state in ("complete", "missing")
        return TaskFiles(state=state, complete=is_complete, attempt=attempt or task.attempt, files=entries)

    return await run_in_threadpool(read)


@router.get(
    "/{task_id}/files/{path:path}",
    summary="A file that a task left",
    response_class=StreamingResponse,
    responses=UNKNOWN
    | _DOWN
    | _RANGES
    | {200: {"content": _BINARY}, 304: {"description": "It has the ETag that was given."}},
)
async def get_file(
    request: Request,
    task_id: str,
    path: str,
    attempt: Attempt = None,
    if_none_match: Annotated[str | None, Header(max_length=400)] = None,
    range_: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
    if_range: Annotated[str | None, Header(max_length=400)] = None,
) -> Response:
    """One below `output/`, or a log as `/logs` shows it."""

    def read() -> Response:
        from common.submission import reading

        system, task = tasks_of(request), seen(request, task_id)
        info = reading.find_file(system, task, path, attempt)
        etag = f'"{info.etag.strip(chr(34))}"'
        if is_unchanged(if_none_match, etag):
            return not_modified(etag)
        asked = ranges.asked(range_, info.size_bytes) if if_range in (None, etag) else None
        return _sent(task, info, etag, asked, system.blobs.share)

    return await run_in_threadpool(read)


def _sent(task: Task, info: FileInfo, etag: str, asked: tuple[int, int] | None, share: Share) -> Response:
    from common.submission import reading

    start, end = asked or (0, info.size_bytes)
    chunks = reading.read_hidden(share, task, info.path, start, end)
    # What is wrong is known before the answer begins.
    first = next(chunks, b"")
    name = info.path.rpartition("/")[2]
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    headers = {
        "ETag": etag,
        "Content-Length": str(end - start),
        "Accept-Ranges": "bytes",
        # Whatever a program left, no browser runs it as a page of ours.
        "Content-Disposition": f'attachment; filename="{plain}"',
        "X-Content-Type-Options": "nosniff",
    }
    if asked is not None:
        headers |= ranges.content_range(start, end, info.size_bytes)
    status = 200 if asked is None else 206
    return StreamingResponse(chain([first], chunks), status, headers, media_type="application/octet-stream")
