"""`/audit`: who did what, newest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from common.http.moments import ISO, Moment
from common.http.openapi import problem_answer
from common.security.audit.definitions import AuditPage

router = APIRouter(tags=["Security"])

_INVALID: dict[int | str, dict[str, Any]] = {
    422: problem_answer("A parameter is wrong."),
    424: problem_answer("The database is away."),
}


@router.get("/audit", summary="Audit log: who did what, newest first", responses=_INVALID)
async def list_records(
    request: Request,
    who: Annotated[str | None, Query(max_length=256, description="Id or name of who did it.")] = None,
    action: Annotated[
        str | None, Query(max_length=64, description="`key.created`, or its beginning, `key`, for all of keys.")
    ] = None,
    outcome: Annotated[str | None, Query(max_length=32, description="`done`, `refused` or `failed`.")] = None,
    after: Annotated[Moment | None, Query(description=f"At that time or later. {ISO}")] = None,
    before: Annotated[Moment | None, Query(description=f"Before that time. {ISO}")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before.")] = None,
) -> AuditPage:
    def read() -> AuditPage:
        from common.security.audit.trail import Trail, Wanted

        wanted = Wanted(who, action, outcome, after, before)
        trail = Trail(request.app.state.runtime.jobs.database)
        return AuditPage.of(trail.list(wanted, cursor, limit + 1), limit)

    return await run_in_threadpool(read)
