"""The routes of countries: what may be asked, correlations, clusters."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from common.plugins import code_version
from common.serving import answer
from models._indicators import IndicatorSet, source
from models.countries import choices
from models.countries.definitions import CountryClusterRequest, CountryClusterResponse, CountryRequest, CountryResponse

router = APIRouter(prefix="/countries", tags=["Country Correlation Model"])

Dataset = Annotated[str, Query(description="Code of a data set.", examples=["wdi"])]
Category = Annotated[str, Query(description="Category of its indicators.", examples=["Financial Sector"])]


@router.get("/datasets", summary="Data sets, name by code")
async def datasets() -> dict[str, str]:
    return choices.datasets(source.current())


@router.get("/categories", summary="Categories of a data set")
async def categories(dataset: Dataset) -> list[str]:
    data = source.current()
    return choices.categories(data, choices.check_dataset(data, dataset, where="query"))


@router.get("/years", summary="Years in which a category has values")
async def years(dataset: Dataset, category: Category) -> list[str]:
    data = source.current()
    return choices.years(data, *_category(data, dataset, category))


@router.get("/countries", summary="Countries with values of a category in a year, name by code")
async def countries(
    dataset: Dataset, category: Category, year: Annotated[str, Query(examples=["2014"])]
) -> dict[str, str]:
    data = source.current()
    asked = _category(data, dataset, category)
    return choices.countries(data, *asked, choices.check_year(data, *asked, year, where="query"))


def _category(data: IndicatorSet, dataset: str, category: str) -> tuple[str, str]:
    known = choices.check_dataset(data, dataset, where="query")
    return known, choices.check_category(data, known, category, where="query")


@router.post("/correlate", response_model=CountryResponse, summary="Countries by likeness to one")
@router.post("/predict", response_model=CountryResponse, summary="The same as correlate")
async def correlate(body: CountryRequest, request: Request) -> Response:
    """Each indicator is scaled over countries first, so that all weigh alike."""
    from models.countries import service

    return await _answer(request, body, service.correlations)


@router.post("/cluster", response_model=CountryClusterResponse, summary="Groups of countries")
async def cluster(body: CountryClusterRequest, request: Request) -> Response:
    """K-means on scaled indicators, over what each country has; nothing is filled in."""
    from models.countries import service

    return await _answer(request, body, service.clusters)


async def _answer(request: Request, body: Any, compute: Callable[[IndicatorSet, Any], dict[str, Any]]) -> Response:
    data = source.current()
    code = code_version("models.countries", "models._clustering", "models._indicators")
    key = (code, data.digest, type(body).__name__, body.model_dump_json())
    return await answer(request, key, partial(compute, data, body))
