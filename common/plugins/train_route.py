"""`POST …/train`, derived from a plugin's `train` and `train_request`; beside its other routes."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from common.errors import MethodNotAllowed
from common.http.openapi import problem_answer
from common.jobs.accepted import JobAccepted
from common.plugins.record import PluginRecord

MAX_PARALLEL = 16

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobAccepted,
        "description": "Accepted; `Location` is the job, whose result names the version that was published.",
        "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
    },
    409: problem_answer("The job cannot be accepted as things are."),
}

Parallel = Annotated[
    int,
    Query(ge=1, le=MAX_PARALLEL, description="Trials of a search to run at once, as far as workers are free."),
]


def train_path(record: PluginRecord) -> str:
    """Where the model is trained: beside its `/predict`."""
    prefix = record.router.prefix if record.router else ""
    return f"{prefix or '/' + record.name}/train"


def add_train_route(app: FastAPI, record: PluginRecord, problems: Mapping[int | str, dict[str, Any]]) -> None:
    """Add the route, unless the plugin has one of its own. A model that cannot be trained answers 405 there."""
    path = train_path(record)
    if any(isinstance(route, APIRoute) and route.path == path for route in _own(record)):
        return
    if record.plugin.train is None:
        app.add_api_route(path, _refuse(record), methods=["POST", "OPTIONS"], include_in_schema=False)
        return
    tags = (record.router.tags if record.router else None) or [record.name]
    options: dict[str, Any] = {"methods": ["POST"], "status_code": 202, "response_class": Response}
    app.add_api_route(
        path,
        _accept(record),
        name=f"train_{record.name}",
        tags=tags,
        summary="Train",
        description=_described(record),
        responses={**problems, **_ACCEPTED},
        **options,
    )
    by_name = f"/{record.name}/train"
    if by_name != path:
        app.add_api_route(by_name, _accept(record), include_in_schema=False, **options)


def _own(record: PluginRecord) -> list[Any]:
    return list(record.router.routes) if record.router else []


def _accept(record: PluginRecord) -> Any:
    async def train(request: Request, body: Any, parallel_trials: Parallel = 1) -> Response:
        # Not at the top of the module: queues bring SQLAlchemy, which an app without them never needs.
        from common.jobs.http import accept
        from common.jobs.states import Kind

        if record.plugin.check_train is not None:
            # It may look at the data.
            await record.require_ready()
            await run_in_threadpool(record.plugin.check_train, body)
        query = f"?{request.url.query}" if request.url.query else ""
        return await accept(
            request,
            Kind.TRAINING,
            path=request.url.path + query,
            body=await request.body(),
            model=record.name,
            worker=record.plugin.worker,
        )

    # FastAPI reads the definition, which is known only now, from the signature.
    train.__annotations__["body"] = record.plugin.train_request
    return train


def _refuse(record: PluginRecord) -> Any:
    async def train(request: Request) -> Response:
        # A 405 has to name a method that works.
        headers = {"Allow": "OPTIONS"}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        found = [other for other in request.app.state.runtime.records if other.plugin.train is not None]
        can = ", ".join(f"{other.name} (POST {train_path(other)})" for other in found) or "none here"
        raise MethodNotAllowed(f"{record.name} cannot be trained; models that can: {can}", headers=headers)

    return train


def _described(record: PluginRecord) -> str:
    text = (record.plugin.train.__doc__ or "") if record.plugin.train else ""
    return text.strip() or "Trains the model as a queued job, and publishes a version."
