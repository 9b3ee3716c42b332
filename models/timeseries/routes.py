"""The routes of the time series: what may be asked, one series, and several."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from common.plugins import code_version
from common.serving import answer
from models._indicators import source
from models.timeseries import choices, service
from models.timeseries.definitions import PanelRequest, PanelResponse, SeriesRequest, SeriesResponse
from models.timeseries.spec import Method

router = APIRouter(prefix="/timeseries", tags=["Functional Imputation"])

# Seconds on one core, rounded up.
_AUTO_S, _NAMED_S = 0.1, 0.01


@router.get("/targets", summary="Indicators with something to fill, name by code")
async def targets(
    dataset: Annotated[str | None, Query(description="Only those of this data set.")] = None,
    country: Annotated[str | None, Query(description="Only those with something to fill in this country.")] = None,
) -> dict[str, str]:
    return choices.targets(source.current(), dataset, country)


@router.get("/countries", summary="Countries that have gaps in a target and enough observations to fill them")
async def countries(target: Annotated[str, Query(description="Indicator, by code.")]) -> list[str]:
    return choices.countries(source.current(), target)


@router.post("/predict", response_model=SeriesResponse, summary="Fill the missing years of an indicator of a country")
async def predict(body: SeriesRequest, request: Request) -> Response:
    """Equal requests get equal bytes; `Cache-Control: no-cache` computes anew, `X-Cache` tells which."""
    return await _answer(body, request)


@router.post("/impute", response_model=SeriesResponse, summary="The same as predict")
async def impute(body: SeriesRequest, request: Request) -> Response:
    return await _answer(body, request)


@router.post("/panel", response_model=PanelResponse, summary="Fill several indicators of several countries")
async def panel(body: PanelRequest, request: Request) -> Response:
    """A series that cannot be filled is listed in `skipped` with the reason; the others are answered."""
    data = source.current()
    questions = choices.questions_of(data, body)
    return await answer(request, _key("panel", data.digest, body), partial(service.panel, data, questions, body.form))


async def _answer(body: SeriesRequest, request: Request) -> Response:
    data = source.current()
    question = choices.question_of(data, body)
    return await answer(request, _key("series", data.digest, body), partial(service.predict, data, question))


def _key(kind: str, digest: str, body: SeriesRequest | PanelRequest) -> tuple[str, ...]:
    return code_version("models.timeseries", "models._indicators"), kind, digest, body.model_dump_json()


def estimate_body_s(body: SeriesRequest) -> float:
    """Seconds that `predict` will take. Raises `Invalid` for a request that it would refuse."""
    choices.question_of(source.current(), body)
    return _AUTO_S if body.method is Method.auto else _NAMED_S
