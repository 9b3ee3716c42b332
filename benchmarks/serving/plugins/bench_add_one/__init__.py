"""The trivial model as a plugin that is no part of Atoll."""

import struct

from fastapi import APIRouter, Request
from fastapi.responses import Response

from benchmarks.serving import work
from common.plugins import BaseDefinition, Kept, Plugin, param
from common.serving import answer_items

router = APIRouter(prefix="/bench_add_one", tags=["Benchmark"])


class Number(BaseDefinition):
    """What is asked."""

    value: float = param(title="Value")


class Sum(BaseDefinition):
    """The answer."""

    result: float = param(title="Result")


@router.post("/predict", summary="Add one", response_model=Sum)
async def predict(body: Number, request: Request) -> Response:
    return await answer_items(request, "bench_add_one", [body.value], around=(b'{"result":', b"}"))


plugin = Plugin(title="Add one", predict_batch=work.add_one, cache=Kept(struct.Struct("d").pack))
