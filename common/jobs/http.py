"""Accepting a job over HTTP: what a request's headers ask of it, and the 202 that answers."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from common.http.timeouts import timeout_s
from common.jobs.accepted import JobAccepted
from common.jobs.records import Job
from common.jobs.states import Kind
from common.security.audit import audit
from common.security.authenticate import principal_of
from common.security.limits import jobs_per_owner
from common.security.ownership import MARK_PREFIX, marks
from common.security.scopes import Scope
from common.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.jobs.rows import Also
    from common.jobs.system import JobSystem

# Asking again sooner than this tells nobody anything new.
_POLL_S = 1


def jobs_of(request: Request) -> "JobSystem":
    """The process's job system; the first call builds it (some 100 ms), so not on the event loop."""
    system: JobSystem = request.app.state.runtime.jobs
    return system


async def accept(
    request: Request, kind: Kind, *, path: str, body: bytes, model: str, worker: str = "cpu", **more: Any
) -> Response:
    """Record and queue a job, which belongs to the caller, and answer 202 with its place.

    Read from the request's headers: `Idempotency-Key`, `X-Callback-Url`, `X-Timeout-Ms` (of no use after that),
    `traceparent`.

    Parameters
    ----------
    path : what the worker is to run, with its query.
    more : further arguments of `JobService.submit`.

    Raises
    ------
    Invalid
        A header cannot be used, or the key was used for another request.
    TooManyRequests
        As many jobs of the caller wait or run as may.
    """
    principal = principal_of(request)
    headers = {name: value for name, value in request.headers.items() if not name.startswith(MARK_PREFIX)}
    allowed_s = timeout_s(headers.get("x-timeout-ms"))

    def submit() -> Job:
        system = jobs_of(request)
        deadline = None if allowed_s is None else system.clock.now() + timedelta(seconds=allowed_s)
        accepted = system.service.submit(
            kind,
            path,
            body,
            model=model,
            owner=principal.id,
            worker=worker,
            headers=headers | marks(principal),
            idempotency_key=headers.get("idempotency-key"),
            callback_url=headers.get("x-callback-url"),
            deadline=deadline,
            traceparent=headers.get("traceparent"),
            max_open=max_open(request),
            # Of predictions the access log tells enough.
            also=None if kind is Kind.PREDICTION else recorded(request, f"{kind}.submitted"),
            **more,
        )
        return accepted.job

    job = await run_in_threadpool(submit)
    answer = {"Location": f"/jobs/{job.id}", "Retry-After": str(_POLL_S)}
    if prefers_async(request.headers.getlist("prefer")):
        answer["Preference-Applied"] = "respond-async"
    return Response(JobAccepted.of(job).model_dump_json(), 202, answer, media_type="application/json")


def recorded(request: Request, action: str) -> "Also":
    """What puts a change of a job into the audit log, in the transaction that makes it."""
    by = principal_of(request)

    def record(connection: "Connection", job: Job) -> None:
        owner = {} if job.owner == by.id else {"owner": job.owner}
        audit(action, by=by, target=job.id, connection=connection, model=job.model, kind=job.kind.value, **owner)

    return record


def max_open(request: Request) -> int:
    """How many jobs the caller may have open; 0 for any, as `admin` may."""
    if principal_of(request).may(Scope.ADMIN):
        return 0
    settings: Settings = request.app.state.runtime.settings
    return jobs_per_owner(settings)


def prefers_async(given: list[str]) -> bool:
    """Whether a `Prefer` header (RFC 7240) asks for `respond-async`."""
    return any(part.split(";")[0].strip().lower() == "respond-async" for line in given for part in line.split(","))
