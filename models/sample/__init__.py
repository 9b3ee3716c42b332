"""The plugin to copy: a typed request, a typed answer, three routes, batches, and a training.

The training is in `training.py`, what it searches in `space.py`. Everything here is optional but `router`.
`docs/plugins.md` walks through it.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from common.plugins import BaseDefinition, Kept, Plugin, param
from common.serving import answer_items
from models.sample import space
from models.sample.training import SampleTraining, train

router = APIRouter(prefix="/sample_model", tags=["Sample Model"])


class SampleRequest(BaseDefinition):
    """What the model is asked."""

    requiredField: str = param(title="Required field", description="Any text.", example="required 123")
    optionalField: str | None = param(None, title="Optional field", description="Any text.")


class SampleResponse(BaseDefinition):
    """What the model answers."""

    resp1: str = param(title="Response", example="Test 1")


def greet(names: Sequence[str]) -> list[dict[str, str]]:
    """A model of your own stands here: it gets what several callers ask at the same time, and answers each."""
    return [{"resp1": f"Hello {name}"} for name in names]


@router.post("/predict", summary="Predict", response_model=SampleResponse)
async def predict(body: SampleRequest, request: Request) -> Response:
    return await answer_items(request, "sample", [body.requiredField], around=(b"", b""))


@router.post("/test_endpoint1", summary="Answers the same to every valid request")
async def test_endpoint1(body: SampleRequest) -> SampleResponse:
    return SampleResponse(resp1="Test 1")


@router.post("/test_endpoint2", summary="Greets by a query parameter")
async def test_endpoint2(name: str) -> str:
    return f"Hi {name}"


plugin = Plugin(
    title="Sample Model",
    predict_batch=greet,
    cache=Kept(str.encode),
    examples={"hello": {"requiredField": "required 123"}},
    train=train,
    train_request=SampleTraining,
    space=space,
)
