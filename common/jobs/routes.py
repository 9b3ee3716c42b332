"""`/jobs`: what is queued, what runs, what became of it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from common.errors import Conflict, Gone
from common.http.conditional import ASK_AGAIN, Listing, answer_listing, is_unchanged, not_modified
from common.http.moments import ISO, Moment, check_order
from common.http.openapi import problem_answer
from common.jobs.callbacks.definitions import CallbackInfo
from common.jobs.definitions import JobInfo, JobPage, JobSummary, LogLineInfo
from common.jobs.errors import no_job
from common.jobs.http import jobs_of, max_open, recorded
from common.jobs.records import Job, JobFilter
from common.jobs.states import Kind, State
from common.security import ownership
from common.security.authenticate import principal_of

router = APIRouter(prefix="/jobs", tags=["Jobs"])

_INVALID: dict[int | str, dict[str, Any]] = {422: problem_answer("A parameter is wrong.")}
_UNKNOWN: dict[int | str, dict[str, Any]] = _INVALID | {404: problem_answer("No such job.")}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: problem_answer("Not in this state.")}
_CHANGED = _UNKNOWN | _CONFLICT

MAX_PAGE = 500


@router.get(
    "",
    summary="Jobs, newest first",
    response_model=JobPage,
    responses=_INVALID | {304: {"description": "Nothing has changed since the `ETag` given."}},
)
async def list_jobs(
    request: Request,
    state: Annotated[list[State] | None, Query(description="Repeat it for any of several.", max_length=8)] = None,
    kind: Kind | None = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    owner: Annotated[
        str | None, Query(max_length=256, description="Who asked for it; others than you take `admin`.")
    ] = None,
    created_after: Annotated[Moment | None, Query(description=f"At that time or later. {ISO}")] = None,
    created_before: Annotated[Moment | None, Query(description=f"Before that time. {ISO}")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    if_none_match: Annotated[str | None, Header(max_length=400)] = None,
) -> Response:
    """Your own; all with the scope `admin`. Poll it with `If-None-Match`: an unchanged page costs an empty 304."""
    owner = ownership.listed(principal_of(request), owner)
    check_order(created_after, created_before)
    wanted = JobFilter(state or (), kind, model, owner, None, created_after, created_before)

    # Each in the thread: the first one may open the database.
    def marks() -> Sequence[Sequence[object]]:
        return jobs_of(request).store.marks(wanted, cursor, limit)

    def read() -> Listing:
        page = jobs_of(request).store.list(wanted, cursor, limit)
        body = JobPage(jobs=[JobSummary.of(job) for job in page.jobs], next=page.cursor).model_dump_json()
        return Listing(body, page.marks)

    return await run_in_threadpool(answer_listing, if_none_match, marks, read)


@router.get(
    "/{job_id}",
    summary="A job: state, progress, attempts",
    response_model=JobInfo,
    responses=_UNKNOWN | {304: {"description": "Nothing has changed since the `ETag` given."}},
)
async def show_job(
    request: Request, job_id: str, if_none_match: Annotated[str | None, Header(max_length=400)] = None
) -> Response:
    """Poll it with `If-None-Match`: an unchanged job costs an empty 304."""

    def read() -> tuple[Job, int | None, CallbackInfo | None]:
        system = jobs_of(request)
        job = _seen(request, job_id)
        return job, system.store.queue_position(job), system.callbacks.of(job)

    job, position, callback = await run_in_threadpool(read)
    etag = f'"{job.version}-{"" if position is None else position}{callback.tag if callback else ""}"'
    headers = {"ETag": etag, **ASK_AGAIN}
    if not job.state.is_finished:
        headers["Retry-After"] = "1"
    if is_unchanged(if_none_match, etag):
        return not_modified(etag, headers)
    attempts = await run_in_threadpool(lambda: list(jobs_of(request).store.attempts(job_id)))
    body = JobInfo.detailed(job, attempts, position, callback).model_dump_json()
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/{job_id}/result",
    summary="What the direct call would have answered",
    response_class=Response,
    responses=_UNKNOWN
    | {409: problem_answer("It has not finished, or has no result."), 410: problem_answer("It is forgotten.")},
)
async def show_result(request: Request, job_id: str) -> Response:
    """The bytes, type and status that the direct call would have given; a job that was refused gives its error."""

    def read() -> Response:
        store = jobs_of(request).store
        job = _seen(request, job_id)
        if not job.state.is_finished:
            raise Conflict(f"the job is {job.state}; ask again when it has finished", headers={"Retry-After": "1"})
        result = store.result(job)
        if result is not None:
            return Response(result.body, result.status, media_type=result.content_type)
        if job.state is State.SUCCEEDED:
            raise Gone("the result was kept for a while and is forgotten now; submit the job again")
        raise Conflict(f"the job is {job.state} and has no result" + (f": {job.error}" if job.error else ""))

    return await run_in_threadpool(read)


@router.get("/{job_id}/logs", summary="Lines of a job's log", responses=_UNKNOWN)
async def show_logs(
    request: Request,
    job_id: str,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`seq` of the last line seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[LogLineInfo]:
    def read() -> list[LogLineInfo]:
        store = jobs_of(request).store
        _seen(request, job_id)
        return [LogLineInfo.of(line) for line in store.logs(job_id, after, limit)]

    return await run_in_threadpool(read)


@router.get("/{job_id}/trials", summary="Trials of a training's search", responses=_UNKNOWN)
async def show_trials(request: Request, job_id: str) -> list[dict[str, Any]]:
    """Number, state, parameters, value and intermediate values of each trial so far; none for other jobs."""

    def read() -> list[dict[str, Any]]:
        # Optuna is imported for this alone.
        from common.jobs.studies import trials_of

        system = jobs_of(request)
        _seen(request, job_id)
        return trials_of(system.database, job_id)

    return await run_in_threadpool(read)


@router.delete("/{job_id}", summary="Cancel a job", responses=_CHANGED)
async def cancel_job(request: Request, job_id: str) -> JobSummary:
    """A queued job is cancelled at once; a running one is told to stop and is `cancelling` until it has."""

    def cancel() -> Job:
        _to_change(request, job_id)
        return jobs_of(request).service.cancel(job_id, recorded(request, "job.cancelled"))

    return JobSummary.of(await run_in_threadpool(cancel))


@router.post("/{job_id}/retry", summary="Run a failed or dead job again", responses=_CHANGED)
async def retry_job(request: Request, job_id: str) -> JobSummary:
    """With what its owner could do when it was accepted."""

    def retry() -> Job:
        _to_change(request, job_id)
        return jobs_of(request).service.retry(job_id, max_open=max_open(request), also=recorded(request, "job.retried"))

    return JobSummary.of(await run_in_threadpool(retry))


def _seen(request: Request, job_id: str) -> Job:
    """The job, if the caller sees it; else it is answered as if there were none."""
    job = jobs_of(request).store.get(job_id)
    if not ownership.sees(principal_of(request), job.owner):
        raise no_job(job_id)
    return job


def _to_change(request: Request, job_id: str) -> None:
    """Let nobody but its owner and `admin` pass. Of whom a job is never changes, so it may be looked at before."""
    job = _seen(request, job_id)
    ownership.let_change(principal_of(request), job.owner)
