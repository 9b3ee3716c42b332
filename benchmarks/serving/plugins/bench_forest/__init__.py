"""A random forest as a plugin that is no part of Atoll: its batches are what it is measured for."""

import struct
from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response

from benchmarks.serving import work
from common.plugins import BaseDefinition, Kept, Plugin, param
from common.serving import answer_items

router = APIRouter(prefix="/bench_forest", tags=["Benchmark"])
Row = tuple[float, float, float, float]


class Features(BaseDefinition):
    """What is asked."""

    features: Row = param(title="Features")


class Label(BaseDefinition):
    """The answer."""

    label: int = param(title="Label")


@router.post("/predict", summary="Classify an iris", response_model=Label)
async def predict(body: Features, request: Request) -> Response:
    return await answer_items(request, "bench_forest", [body.features], around=(b'{"label":', b"}"))


def key(row: Row) -> bytes:
    return struct.pack("4d", *row)


def load() -> None:
    work.forest()


def run(rows: Sequence[Row]) -> list[int]:
    return work.forest()(rows)


plugin = Plugin(title="Iris, forest", load=load, predict_batch=run, cache=Kept(key))
