"""Health and metrics. Nothing here waits for a model, a thread of the pool or another service."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from common.errors import Unavailable
from common.http.openapi import problem_answer
from common.plugins.record import State
from common.runtime import Runtime
from common.telemetry import metrics

router = APIRouter(tags=["Atoll"])


class Live(BaseModel):
    status: Literal["live"] = "live"


class ModelHealth(BaseModel):
    state: State
    reason: str | None = None


class Ready(BaseModel):
    status: Literal["ready"] = "ready"
    models: dict[str, ModelHealth]


@router.get("/health/live", summary="Is the process alive?")
async def live() -> Live:
    return Live()


@router.get(
    "/health/ready",
    summary="Do the models served here have their data?",
    responses={503: problem_answer("Some model is loading or unavailable; `models` names each and the reason.")},
)
async def ready(request: Request) -> Ready:
    """503 until every model that this process is asked to serve (`SERVICE_MODEL`, by default all found) is ready."""
    runtime: Runtime = request.app.state.runtime
    # Under Functions the first request may be this one, before any lifespan.
    runtime.start()
    runtime.retry_failed()
    if runtime.refusal is not None:
        raise Unavailable(f"not ready: {runtime.refusal}", retry_after_s=5)
    models = {record.name: ModelHealth(state=record.state, reason=record.reason) for record in runtime.records}
    waiting = {name: health for name, health in models.items() if health.state != "ready"}
    if waiting:
        told = "; ".join(f"{name}: {health.reason or health.state}" for name, health in waiting.items())
        shown = {name: health.model_dump(exclude_none=True) for name, health in models.items()}
        raise Unavailable(f"not ready: {told}", retry_after_s=5, extra={"models": shown})
    return Ready(models=models)


@router.get(
    "/metrics", summary="Prometheus metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def prometheus() -> Response:
    # With several processes this reads files.
    return Response(await run_in_threadpool(metrics.exposition), media_type=metrics.CONTENT_TYPE)
