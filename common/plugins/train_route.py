"""`POST …/train`, derived from a plugin's `train` and `train_request`; beside its other routes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from common.errors import FieldError, Invalid, MethodNotAllowed
from common.http.openapi import problem_answer
from common.jobs.accepted import JobAccepted
from common.plugins.parameters import api_routes
from common.plugins.record import PluginRecord

if TYPE_CHECKING:
    from common.runtime import Runtime

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

Cluster = Annotated[
    str | None,
    Query(
        max_length=255,
        description="Train as a task on this cluster (`GET /clusters`), where Atoll has to be installed; the job is "
        "the same. Not with `parallel_trials`.",
    ),
]
# What may be asked of the cluster.
_WORD = {"max_length": 255}
Image = Annotated[str | None, Query(**_WORD, description="With `cluster`: the container image.")]
Partition = Annotated[str | None, Query(**_WORD, description="With `cluster`: a part of it.")]
Account = Annotated[str | None, Query(**_WORD, description="With `cluster`: the cluster's account.")]
TimeLimit = Annotated[str | None, Query(**_WORD, description="With `cluster`: `1:30:00`, `90m`, or seconds.")]
Memory = Annotated[str | None, Query(**_WORD, description="With `cluster`: `2G`, `512M`, or bytes.")]
Cpus = Annotated[int | None, Query(ge=1, le=100_000, description="With `cluster`.")]
Gpus = Annotated[int | None, Query(ge=0, le=10_000, description="With `cluster`.")]


def train_path(record: PluginRecord) -> str:
    """Where the model is trained: beside its `/predict`."""
    prefix = record.router.prefix if record.router else ""
    return f"{prefix or '/' + record.name}/train"


def add_train_route(app: FastAPI, record: PluginRecord, problems: Mapping[int | str, dict[str, Any]]) -> None:
    """Add the route, unless the plugin has one of its own. A model that cannot be trained answers 405 there."""
    path = train_path(record)
    if has_own_train_route(record):
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


def has_own_train_route(record: PluginRecord) -> bool:
    """Whether the plugin's router answers there itself."""
    return any(record.prefix + path == train_path(record) for path, _ in api_routes(record.router))


def _accept(record: PluginRecord) -> Any:
    async def train(
        request: Request,
        body: Any,
        parallel_trials: Parallel = 1,
        cluster: Cluster = None,
        image: Image = None,
        partition: Partition = None,
        account: Account = None,
        time_limit: TimeLimit = None,
        memory: Memory = None,
        cpus: Cpus = None,
        gpus: Gpus = None,
    ) -> Response:
        # Not at the top of the module: queues bring SQLAlchemy, which an app without them never needs.
        from common.jobs.http import accept
        from common.jobs.states import Kind

        asked = (image, partition, account, time_limit, memory, cpus, gpus)
        if cluster is not None:
            await run_in_threadpool(_check_cluster, request, record, cluster, parallel_trials)
        elif any(one is not None for one in asked):
            known = "image, partition, account, time_limit, memory, cpus and gpus"
            raise Invalid.field("cluster", f"is missing; {known} are asked of a cluster", where="query")
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


def _check_cluster(request: Request, record: PluginRecord, cluster: str, parallel_trials: int) -> None:
    """Refuse a training that could never run on the cluster. Raises `Invalid`."""
    # Brings the clusters, which an app that is asked for none does without.
    from common.submission.training.spec import training_spec

    if parallel_trials > 1:
        message = (
            "is for workers of Atoll, which share a search through its database; a cluster runs one search by itself. "
            "Leave it out, or leave cluster out"
        )
        raise Invalid.field("parallel_trials", message, parallel_trials, where="query")
    runtime: Runtime = request.app.state.runtime
    clusters = runtime.tasks.clusters
    if cluster not in clusters:
        known = ", ".join(clusters.names)
        message = f"there is no such cluster here; those configured are: {known}"
        raise Invalid.field("cluster", message, cluster, where="query")
    spec = training_spec(record.name, clusters.config(cluster), runtime.settings, request.url.query)
    try:
        clusters.get(cluster).check(spec)
    except Invalid as exc:
        # It speaks of a task's config; here the query was asked.
        errors = [
            FieldError(field=f"query.{error.field.rpartition('.')[2]}", message=error.message, value=error.value)
            for error in exc.errors
        ]
        raise Invalid(exc.detail, errors=errors) from None


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
