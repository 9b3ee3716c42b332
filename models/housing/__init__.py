"""What a house in a district of California costs: two models trained on the census of 1990, with intervals and
explanations.

`POST /housing/predict` takes one district, `/housing/bulk-predict` many; `/lab` is the old prefix of both.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from common.http.conditional import ASK_AGAIN
from common.http.content import Content
from common.http.framework_shape import framework_error
from common.plugins import Batching, Kept, OldPrefix, Plugin
from common.registry.observe import observed_as
from common.serving import answer_items
from models.housing.chosen import Served, serve_version, served_now
from models.housing.definitions import Health, House, Houses, Learned, Prediction, Predictions, asked_of
from models.housing.learned import learned_from
from models.housing.predictor import Asked, Kind, predict_batch, version
from models.housing.training import HousingTraining, check_train, train

router = APIRouter(prefix="/housing", tags=["Housing"])

# What a batch of districts with explanations costs, one of which is thousands of predictions.
_EXPLAINED = 512

Which = Annotated[Kind, Query(description="Which of the two models answers.")]
Interval = Annotated[bool, Query(description="Also the ends between which 90 % of such districts lie; trees only.")]
Explain = Annotated[bool, Query(description="Also by how much each figure moves the prediction (Shapley values).")]


@router.post("/predict", response_model=Prediction, response_model_exclude_none=True, summary="Price of one house")
async def predict(
    body: House, request: Request, model: Which = Kind.boosted, interval: Interval = False, explain: Explain = False
) -> Response:
    """The median value of a house in the district, in 100,000 dollars of 1990."""
    served = served_now()
    item = asked_of(body, served, model, interval=interval, explain=explain)
    around = (b"", b"") if item.interval or item.explain else (b'{"prediction":', b"}")
    with observed_as("housing", served.name):
        answer = await answer_items(request, "housing", [item], around=around)
    return _named(answer, served)


@router.post(
    "/bulk-predict", response_model=Predictions, response_model_exclude_none=True, summary="Prices of many houses"
)
async def bulk_predict(
    body: Houses, request: Request, model: Which = Kind.boosted, interval: Interval = False, explain: Explain = False
) -> Response:
    """A number for each house, in their order; with `interval` or `explain` an object each."""
    served = served_now()
    items = [asked_of(house, served, model, interval=interval, explain=explain) for house in body.houses]
    with observed_as("housing", served.name):
        answer = await answer_items(request, "housing", items, around=(b'{"predictions":[', b"]}"))
    return _named(answer, served)


@router.get("/districts", response_model=Learned, summary="What the models learned from")
async def districts(request: Request) -> Response:
    """The range of each figure in the training, and some of its districts with the price that the trees predict."""
    served = served_now()
    found = await run_in_threadpool(_learned, served)
    return _named(found.answer(request, dict(ASK_AGAIN)), served)


@router.get("/hello", summary="Greets by a query parameter")
async def hello(name: Annotated[str, Query(min_length=1, max_length=200)]) -> dict[str, str]:
    return {"message": f"Hello {name}"}


@router.get("/health", summary="The time")
async def health() -> Health:
    return Health(time=datetime.now(UTC))


@router.get("/docs", include_in_schema=False)
async def docs() -> RedirectResponse:
    return RedirectResponse("/docs#/Housing")


def _named(response: Response, served: Served) -> Response:
    response.headers["X-Model-Version"] = served.name
    return response


@lru_cache(maxsize=1)
def _learned(served: Served) -> Content:
    told = {"version": served.name} | learned_from(served.models)
    return Content.of(orjson.dumps(told), "application/json")


def _cost(item: Asked) -> int:
    return _EXPLAINED if item.explain else 1


def _load() -> None:
    # The first prediction makes the session of the trees.
    predict_batch([Asked((8.3, 41.0, 7.0, 1.0, 322.0, 2.6, 37.88, -122.23))])


plugin = Plugin(
    title="Housing prices",
    load=_load,
    predict_batch=Batching(predict_batch, cost=_cost, budget=4096, max_items=256),
    cache=Kept(Asked.key, prefix="w255-cache-prediction"),
    row=Asked.row,
    version=version,
    serve_version=serve_version,
    prefixes=[OldPrefix("/lab", framework_error)],
    examples={
        "near Berkeley": {
            "MedInc": 8.3252,
            "HouseAge": 41.0,
            "AveRooms": 6.98,
            "AveBedrms": 1.02,
            "Population": 322.0,
            "AveOccup": 2.56,
            "Latitude": 37.88,
            "Longitude": -122.23,
        }
    },
    train=train,
    train_request=HousingTraining,
    check_train=check_train,
    panels=("map.js", "picture.js", "fields.js", "curve.js"),
)
