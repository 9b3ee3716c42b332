"""The plugin to copy: a typed request, a typed answer, three routes, and a training (`training.py`, `space.py`).

Everything here is optional but `router`. `docs/plugins.md` walks through it.
"""

from fastapi import APIRouter

from common.plugins import BaseDefinition, Plugin, param
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


@router.post("/predict", summary="Predict")
async def predict(body: SampleRequest) -> SampleResponse:
    """A model of your own stands here. Work of more than a millisecond belongs on a thread: `common.serving.answer`."""
    return SampleResponse(resp1=f"Hello {body.requiredField}")


@router.post("/test_endpoint1", summary="Answers the same to every valid request")
async def test_endpoint1(body: SampleRequest) -> SampleResponse:
    return SampleResponse(resp1="Test 1")


@router.post("/test_endpoint2", summary="Greets by a query parameter")
async def test_endpoint2(name: str) -> str:
    return f"Hi {name}"


plugin = Plugin(
    title="Sample Model",
    examples={"hello": {"requiredField": "required 123"}},
    train=train,
    train_request=SampleTraining,
    space=space,
)
