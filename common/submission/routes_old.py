"""`POST /new_task` and `GET /job_status/{id}`: what clients of the service before this one call.

Errors are answered as that service's framework did: `{"detail": "…"}`.
"""

import contextlib
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from common.errors import NotFound
from common.http.framework_shape import framework_error
from common.http.problems import LEGACY_STATE
from common.security import ownership
from common.security.authenticate import principal_of
from common.submission.accepting import tasks_of
from common.submission.definitions import OLD_WORDS, JobStatus
from common.submission.errors import NoTask
from common.submission.records import Task
from common.submission.routes import ANY_SIZE, submitted

NEW_TASK, JOB_STATUS = "/new_task", "/job_status"

router = APIRouter(include_in_schema=False)


def include(app: FastAPI) -> None:
    """Add the routes, and the shape of their errors."""
    app.include_router(router)
    shapes = getattr(app.state, LEGACY_STATE, {})
    setattr(app.state, LEGACY_STATE, shapes | {NEW_TASK: framework_error, JOB_STATUS: framework_error})


@router.post(NEW_TASK, max_body_size=ANY_SIZE)
async def new_task(request: Request) -> Response:
    return await submitted(request)


@router.get(JOB_STATUS + "/{cluster_job_id}")
async def job_status(
    request: Request, cluster_job_id: str, cluster: Annotated[str | None, Query(max_length=255)] = None
) -> JobStatus:
    """By the id that the cluster gave, or that of the task. Without a cluster, the newest of any has it."""

    def read() -> Task:
        system = tasks_of(request)
        if cluster is not None and cluster not in system.clusters:
            raise NotFound(f"there is no cluster {cluster[:80]!r}; there are {', '.join(system.clusters.names)}")
        names = [cluster] if cluster else system.clusters.names
        found = [system.store.by_cluster_job(name, cluster_job_id) for name in names]
        with contextlib.suppress(NoTask):
            found.append(system.store.get(cluster_job_id))
        principal = principal_of(request)
        mine = [task for task in found if task is not None and ownership.sees(principal, task.owner)]
        if not mine:
            raise NotFound(f"there is no job {cluster_job_id[:80]!r}" + (f" on {cluster}" if cluster else ""))
        return max(mine, key=lambda task: task.created_at)

    task = await run_in_threadpool(read)
    return JobStatus(job_status=OLD_WORDS[task.state], run_id=task.run_id)
