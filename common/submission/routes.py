"""`/tasks`: users' programs on clusters: submit, look at, cancel, begin anew."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from common.http.conditional import ASK_AGAIN, Listing, answer_listing, is_unchanged, not_modified
from common.http.moments import Moment, check_order
from common.http.openapi import problem_answer
from common.jobs.http import max_open
from common.security import ownership
from common.security.authenticate import principal_of
from common.submission import accepting
from common.submission.accepting import recorded, runtime_of, tasks_of
from common.submission.definitions import Preview, TaskAccepted, TaskInfo, TaskPageInfo, TaskSummary
from common.submission.errors import NoTask
from common.submission.receiving import received
from common.submission.records import Task, TaskFilter
from common.submission.states import TaskState

router = APIRouter(prefix="/tasks", tags=["Tasks"])

# Lifts the framework's own limit, whose answer is no problem+json; ours are settings.
ANY_SIZE = 1 << 50
MAX_PAGE = 500
# Asking again sooner than this tells nobody anything new.
POLL_S = 2

_FILE = {"type": "string", "format": "binary"}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["config", "program"],
                "properties": {
                    "config": _FILE | {"description": "The config, JSON: docs/tasks.md lists its fields."},
                    "program": _FILE | {"description": "The program: `.py`, `.sh`, `.zip` or `.tar.gz`."},
                    "inputs": {
                        "type": "array",
                        "items": _FILE,
                        "description": "Further files; they lie in `ATOLL_INPUT_DIR`.",
                    },
                },
            },
            "encoding": {"config": {"contentType": "application/json"}},
        }
    },
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The form or its config cannot be read."),
    413: problem_answer("Config, program or inputs are too large. Nothing has changed."),
    415: problem_answer("The body is no form."),
    422: problem_answer("A field is wrong, or the cluster could not run it; `errors` says what may be sent."),
    424: problem_answer("The share or the cluster does not answer."),
    503: problem_answer("No room is left on the share or on this host."),
}
_ACCEPTS: dict[int | str, dict[str, Any]] = _REFUSED | {
    409: problem_answer("An input is not complete."),
    429: problem_answer("As many of your tasks and jobs are open as may be; `Retry-After` tells when."),
}
INVALID: dict[int | str, dict[str, Any]] = {422: problem_answer("A parameter is wrong.")}
UNKNOWN: dict[int | str, dict[str, Any]] = INVALID | {404: problem_answer("No such task.")}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: problem_answer("Not in this state.")}


@router.post(
    "",
    summary="Submit a program to a cluster",
    status_code=202,
    response_model=TaskAccepted,
    max_body_size=ANY_SIZE,
    openapi_extra={"requestBody": _FORM},
    responses=_ACCEPTS,
)
async def submit(request: Request) -> Response:
    """A form with one JSON config and one program, in any order and under any names. It is recorded, and handed to
    its cluster as soon as that can be."""
    return await submitted(request)


async def submitted(request: Request) -> Response:
    """Accept the task of a request, and answer 202 with its place."""
    runtime = runtime_of(request)
    async with received(request, runtime.settings.storage.cache_dir / "uploads", runtime.settings.submission) as form:
        task = await accepting.accept(request, form)
    return accepted(task)


def accepted(task: Task) -> Response:
    headers = {"Location": f"/tasks/{task.id}", "Retry-After": str(POLL_S)}
    return Response(TaskAccepted.of(task).model_dump_json(), 202, headers, media_type="application/json")


@router.post(
    "/preview",
    summary="What would be submitted",
    response_model=Preview,
    max_body_size=ANY_SIZE,
    openapi_extra={"requestBody": _FORM},
    responses=_REFUSED
    | {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        409: problem_answer("An input is not complete."),
    },
)
async def preview(request: Request, accept: Annotated[str | None, Header(max_length=400)] = None) -> Response:
    """The same form as for a task gives the script or manifest that its cluster would get; with `Accept: text/plain`
    that alone. Nothing is submitted."""
    runtime = runtime_of(request)
    async with received(request, runtime.settings.storage.cache_dir / "uploads", runtime.settings.submission) as form:
        found = await accepting.preview(request, form)
    if accept is not None and accept.split(",")[0].split(";")[0].strip().lower() == "text/plain":
        return PlainTextResponse(found.script)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get(
    "",
    summary="Tasks, newest first",
    response_model=TaskPageInfo,
    responses=INVALID | {304: {"description": "Nothing has changed since the `ETag` given."}},
)
async def list_tasks(
    request: Request,
    state: Annotated[list[TaskState] | None, Query(description="Repeat it for any of several.", max_length=11)] = None,
    cluster: Annotated[str | None, Query(max_length=255)] = None,
    owner: Annotated[
        str | None, Query(max_length=256, description="Who asked for it; others than you take `admin`.")
    ] = None,
    created_after: Annotated[Moment | None, Query(description="At that time or later, ISO 8601 with a zone.")] = None,
    created_before: Annotated[Moment | None, Query(description="Before that time.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    if_none_match: Annotated[str | None, Header(max_length=400)] = None,
) -> Response:
    """Your own; all with the scope `admin`. Poll it with `If-None-Match`: an unchanged page costs an empty 304."""
    owner = ownership.listed(principal_of(request), owner)
    check_order(created_after, created_before)
    wanted = TaskFilter(tuple(state or ()), cluster, owner, created_after, created_before)

    # Each in the thread: the first one may open the database.
    def marks() -> Sequence[Sequence[object]]:
        return tasks_of(request).store.marks(wanted, cursor, limit)

    def read() -> Listing:
        page = tasks_of(request).store.list(wanted, cursor, limit)
        body = TaskPageInfo(tasks=[TaskSummary.of(task) for task in page.tasks], next=page.cursor).model_dump_json()
        return Listing(body, page.marks)

    return await run_in_threadpool(answer_listing, if_none_match, marks, read)


@router.get(
    "/{task_id}",
    summary="A task: state, times, what became of it",
    response_model=TaskInfo,
    responses=UNKNOWN | {304: {"description": "Nothing has changed since the `ETag` given."}},
)
async def show_task(
    request: Request, task_id: str, if_none_match: Annotated[str | None, Header(max_length=400)] = None
) -> Response:
    """Poll it with `If-None-Match`: an unchanged task costs an empty 304."""
    task = await run_in_threadpool(seen, request, task_id)
    etag = f'"{task.attempt}-{task.version}"'
    headers = {"ETag": etag, **ASK_AGAIN}
    if not task.state.is_finished or task.files == "collecting":
        headers["Retry-After"] = str(POLL_S)
    if is_unchanged(if_none_match, etag):
        return not_modified(etag, headers)
    return Response(TaskInfo.detailed(task).model_dump_json(), headers=headers, media_type="application/json")


@router.delete("/{task_id}", summary="Cancel a task", responses=UNKNOWN | _CONFLICT)
async def cancel(request: Request, task_id: str) -> TaskSummary:
    """One that no cluster has yet is cancelled at once; another one is stopped by its cluster, a little later."""

    def work() -> Task:
        to_change(request, task_id)
        also = recorded(principal_of(request), "task.cancelled")
        return tasks_of(request).service.cancel(task_id, also=also)

    return TaskSummary.of(await run_in_threadpool(work))


@router.post("/{task_id}/retry", summary="Begin a finished task anew", responses=UNKNOWN | _CONFLICT)
async def retry(request: Request, task_id: str) -> TaskSummary:
    """As its next attempt; files and logs of the earlier ones stay."""

    def work() -> Task:
        to_change(request, task_id)
        also = recorded(principal_of(request), "task.retried")
        return tasks_of(request).service.retry(task_id, max_open=max_open(request), also=also)

    return TaskSummary.of(await run_in_threadpool(work))


def seen(request: Request, task_id: str) -> Task:
    """The task, if the caller sees it; else it is answered as if there were none. Blocks."""
    task = tasks_of(request).store.get(task_id)
    if not ownership.sees(principal_of(request), task.owner):
        raise NoTask(task_id)
    return task


def to_change(request: Request, task_id: str) -> Task:
    """A task that the caller may change. Blocks."""
    task = seen(request, task_id)
    ownership.let_change(principal_of(request), task.owner)
    return task
