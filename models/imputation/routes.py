"""The routes of imputation: what may be asked, how long it takes, and the answer."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from common.http.openapi import problem_answer
from common.http.replay import is_replay
from common.jobs.accepted import JobAccepted
from common.jobs.http import accept
from common.jobs.states import Kind
from common.plugins import code_version
from common.serving import answer
from common.storage import Share, open_share
from models._indicators import source
from models.imputation import batch, batch_work, choices, trained
from models.imputation.definitions import (
    BatchRequest,
    BatchResponse,
    Option,
    PredictorsRequest,
    PredictRequest,
    PredictResponse,
)
from models.imputation.estimate import estimate_s

router = APIRouter(prefix="/imputation", tags=["Two Level Imputation"])

Version = Annotated[
    str | None,
    Query(description="Number or alias of a version; its choices take the place of the body's.", examples=["default"]),
]


@router.get("/target_sample_size", summary="Countries that must have a value for an indicator to be a target")
async def target_sample_size() -> int:
    return choices.target_sample_size(source.current())


@router.get("/predictor_sample_size", summary="Countries that must have a value for an indicator to be a predictor")
async def predictor_sample_size() -> int:
    return choices.predictor_sample_size(source.current())


@router.get("/target_years", summary="Years that can be filled")
async def target_years() -> list[str]:
    return choices.years(source.current())


@router.get("/datasets", summary="Data sets with targets in a year, name by code")
async def datasets(target_year: str = Query(examples=["2001"])) -> dict[str, str]:
    data = source.current()
    return choices.datasets(data, choices.check_year(data, target_year, where="query"))


@router.get("/targets", summary="Targets of a data set in a year, name by code")
async def targets(target_year: str = Query(examples=["2001"]), dataset: str = Query()) -> dict[str, str]:
    data = source.current()
    year = choices.check_year(data, target_year, where="query")
    return choices.targets(data, year, choices.check_dataset(data, year, dataset, where="query"))


@router.get("/dimensions", summary="Variants of a target")
async def dimensions(
    target: str = Query(description="Code or name."),
    target_year: str = Query(examples=["2001"]),
    dataset: str = Query(),
) -> list[Option]:
    data = source.current()
    year = choices.check_year(data, target_year, where="query")
    found = choices.dimensions(data, year, choices.check_dataset(data, year, dataset, where="query"), target)
    return [Option(**item) for item in found]


@router.post("/predictors", summary="Predictors to choose from, or how many may be chosen")
async def predictors(body: PredictorsRequest) -> dict[str, str]:
    return choices.predictors(source.current(), body)


@router.post("/estimate", summary="Seconds that a prediction will take")
async def estimate(body: PredictRequest) -> float:
    return estimate_body_s(body)


def estimate_body_s(body: PredictRequest) -> float:
    """Seconds that `predict` will take. Raises `Invalid` for a request that it would refuse."""
    data = source.current()
    return estimate_s(data, choices.spec_of(data, body))


@router.post("/predict", response_model=PredictResponse, summary="Fill an indicator for small island states")
async def predict(body: PredictRequest, request: Request, version: Version = None) -> Response:
    """Equal requests get equal bytes; `Cache-Control: no-cache` computes anew, `X-Cache` tells which.

    With `version` the choices are those that a training published; `X-Model-Version` is the number of that version.
    """
    # Not at the top of the module: the engine brings scikit-learn, which a process may never need.
    from models.imputation import service

    data, number = source.current(), None
    if version is not None:
        body, number = await trained.asked_of(request, body, version)
    spec = choices.spec_of(data, body)
    key = (code_version("models.imputation", "models._indicators"), data.digest, repr(spec))
    response = await answer(request, key, partial(service.predict, data, spec))
    if number is not None:
        response.headers["X-Model-Version"] = str(number)
    return response


@router.post(
    "/batch",
    status_code=202,
    response_model=JobAccepted,
    summary="Fill many indicators of a year",
    responses={
        200: {"model": BatchResponse, "description": "Within the job: its result."},
        202: {"description": "Accepted; `Location` is the job, whose result names the table."},
    },
)
async def start_batch(body: BatchRequest, request: Request) -> Response:
    """A job fills one target after the other and writes one table to the share. It goes on where it was killed, and
    equal requests get equal bytes."""
    data, runtime = source.current(), request.app.state.runtime
    plan = await run_in_threadpool(batch.plan, data, body)
    if not is_replay(request.scope):
        sent = await request.body()
        return await accept(request, Kind.PREDICTION, path=request.url.path, body=sent, model=trained.MODEL)
    found = await batch_work.run(data, plan, _share(request), runtime.pool)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get(
    "/batch/{digest}",
    summary="The table of a batch",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table."},
        404: problem_answer("There is no such table."),
    },
)
async def batch_table(
    request: Request,
    digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the table, in hex.")],
) -> Response:
    """A line a value: country, indicator, year, value, lower, upper, caveats (codes, joined by `;`)."""
    size_bytes, chunks = await run_in_threadpool(batch_work.open_table, _share(request), digest)
    headers = {
        "ETag": f'"{digest}"',
        "Content-Length": str(size_bytes),
        "Content-Disposition": f'attachment; filename="imputation-{digest[:12]}.csv"',
    }
    return StreamingResponse(chunks, media_type="text/csv", headers=headers)


def _share(request: Request) -> Share:
    return open_share(request.app.state.runtime.settings.storage)
