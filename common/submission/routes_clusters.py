"""`/clusters`: where programs can run, and how it is there."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from common.errors import Invalid, NotFound
from common.http.openapi import problem_answer
from common.submission.accepting import tasks_of
from common.submission.definitions import ClusterList, ClusterView
from common.submission.status import states_of

router = APIRouter(prefix="/clusters", tags=["Tasks"])

_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such cluster; `detail` names those that there are."),
    422: problem_answer("The name is too long."),
}


@router.get("", summary="Clusters: state, partitions, queue, load")
async def list_clusters(request: Request) -> ClusterList:
    """As each tells it, at most a few seconds ago. One that does not answer is `down`."""

    def read() -> ClusterList:
        system = tasks_of(request)
        return ClusterList(clusters=states_of(system).of(system.clusters.names))

    return await run_in_threadpool(read)


@router.get("/{name}", summary="A cluster", responses=_UNKNOWN)
async def show_cluster(request: Request, name: Annotated[str, Path(max_length=255)]) -> ClusterView:
    def read() -> ClusterView:
        system = tasks_of(request)
        try:
            return states_of(system).of([name])[0]
        except Invalid as exc:
            raise NotFound(exc.errors[0].message) from None

    return await run_in_threadpool(read)
