"""`/registry`: what is kept of a model's requests, and how far that is from what a version was trained on."""

from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from common.errors import Conflict, UnsupportedMediaType
from common.http.openapi import problem_answer
from common.registry.drift.definitions import LEAST_ROWS, Drift, Sampling, SamplingInfo, SnapshotInfo
from common.registry.versions import MAX_NUMBER
from common.routes.registry import MISSING, Number, registry_of
from common.routes.registry_changes import BODY
from common.security.audit import audit
from common.security.authenticate import principal_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.registry.drift.sampler import Sampler
    from common.runtime import Runtime

router = APIRouter(
    prefix="/registry",
    tags=["Registry"],
    responses={503: problem_answer("This process has no registry, because it has no database.")},
)

# A comparison takes a CPU for a second; predictions have the others.
_COMPARISONS = CapacityLimiter(1)
_AWAY: dict[int | str, dict[str, Any]] = {424: problem_answer("The share is away.")}
_CSV = {"text/csv": {"schema": {"type": "string"}, "example": "MedInc,HouseAge\n8.3,41\n7.2,52\n"}}
_CSV_TYPES = frozenset({"", "text/csv", "text/plain", "application/csv", "application/octet-stream"})


@router.get("/{model}/sampling", summary="What is kept of a model's requests", responses={**MISSING, **_AWAY})
async def get_sampling(request: Request, model: str) -> SamplingInfo:
    return await run_in_threadpool(lambda: _told(request, model))


@router.put(
    "/{model}/sampling",
    summary="Keep some rows of a model's requests",
    responses={**MISSING, **BODY, **_AWAY, 409: problem_answer("This server, or this model, keeps none.")},
)
async def put_sampling(request: Request, model: str, how: Sampling) -> SamplingInfo:
    """Inputs and outputs of a share of the rows, of every version; in force in every process within two seconds.

    Rows that were kept before stay as they are, whatever is left out from now on; `DELETE` removes them.
    """

    def change() -> SamplingInfo:
        from common.registry.drift.service import set_sampling

        runtime = _runtime(request)
        registry = registry_of(request)
        registry.get_model(model)
        _check_can_keep(runtime, model)

        def recorded(connection: "Connection") -> None:
            audit(
                "sampling.changed",
                by=principal_of(request),
                target=model,
                connection=connection,
                fraction=how.fraction,
                drop=list(how.drop)[:20],
                texts=list(how.texts)[:20],
                max_rows=how.max_rows,
            )

        set_sampling(registry, model, how, recorded)
        _look(request)
        return _told(request, model)

    return await run_in_threadpool(change)


@router.delete(
    "/{model}/sampling",
    summary="Keep nothing of a model's requests, and delete what was kept",
    status_code=204,
    responses={**MISSING, **_AWAY},
)
async def delete_sampling(request: Request, model: str) -> None:
    def change() -> None:
        from common.registry.drift.service import clear_sampling

        def recorded(connection: "Connection") -> None:
            audit("sampling.cleared", by=principal_of(request), target=model, connection=connection)

        clear_sampling(registry_of(request), model, recorded)
        _look(request)

    await run_in_threadpool(change)


@router.put(
    "/{model}/versions/{n}/snapshot",
    summary="Give a version the rows that it was trained on",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": _CSV}},
    responses={
        **MISSING,
        **_AWAY,
        400: problem_answer("The body cannot be read."),
        409: problem_answer("It has some."),
        413: problem_answer("The body is larger than `MAX_BODY_BYTES`."),
        415: problem_answer("The body is no CSV."),
    },
)
async def put_snapshot(request: Request, model: str, n: Number) -> SnapshotInfo:
    """CSV with a header; a random 5000 of its rows are kept. Columns are inputs by name, or the only input's numbers by
    their order; `output.name` is an output. Once a version: what it is made of does not change.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _CSV_TYPES:
        raise UnsupportedMediaType(f"the body is {media_type[:80]!r}; send CSV as text/csv")
    content = await request.body()

    def add() -> SnapshotInfo:
        from common.registry.drift.service import add_snapshot

        registry = registry_of(request)

        def recorded(connection: "Connection") -> None:
            target = f"{model}:{n}"
            audit("version.snapshot", by=principal_of(request), target=target, connection=connection)

        return add_snapshot(registry, model, n, content, recorded)

    return await to_thread.run_sync(add, limiter=_COMPARISONS)


@router.post(
    "/{model}/versions/{n}/drift",
    summary="Compare a version's requests with its training",
    responses={**MISSING, **_AWAY, 409: problem_answer("Too few rows, with how many in `rows`; or no snapshot.")},
)
async def compare_version(
    request: Request,
    model: str,
    n: Number,
    against: Annotated[
        int | None,
        Query(ge=1, le=MAX_NUMBER, description="Compare with the kept rows of this version, not with the training's."),
    ] = None,
    min_rows: Annotated[int, Query(ge=20, le=1_000_000, description="Rows that each side must have.")] = LEAST_ROWS,
    hours: Annotated[
        float | None, Query(gt=0, le=24 * 3660, allow_inf_nan=False, description="Only rows of the last hours.")
    ] = None,
) -> Drift:
    """PSI and a test for each column of inputs and outputs; what was kept counts within half a minute."""

    def work() -> Drift:
        # Brings NumPy.
        from common.registry.drift.service import drift

        registry = registry_of(request)
        sampler = _sampler(request)
        if sampler is not None and sampler.waiting_rows(model):
            sampler.flush()
        return drift(registry, model, n, against=against, min_rows=min_rows, hours=hours)

    return await to_thread.run_sync(work, limiter=_COMPARISONS)


def _told(request: Request, model: str) -> SamplingInfo:
    from common.registry.drift.service import sampling_of

    is_on = _runtime(request).settings.registry.sampling
    return sampling_of(registry_of(request), model, is_on=is_on, unwritten=_sampler(request))


def _check_can_keep(runtime: "Runtime", model: str) -> None:
    if not runtime.settings.registry.sampling:
        raise Conflict("this server keeps nothing of requests; whoever runs it has to set SAMPLING=true first")
    record = next((record for record in runtime.records if record.name == model), None)
    if record is not None and record.plugin.row is None:
        raise Conflict(f"{model} does not say what a row of its requests is: its plugin declares no `row`")


def _look(request: Request) -> None:
    """This process knows at once."""
    sampler = _sampler(request)
    if sampler is not None:
        sampler.look()


def _sampler(request: Request) -> "Sampler | None":
    found: Sampler | None = getattr(_runtime(request), "sampler", None)
    return found


def _runtime(request: Request) -> "Runtime":
    runtime: Runtime = request.app.state.runtime
    return runtime
