"""`/models` and `/params`: what is served here, and what each model asks for."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from common.console import panels
from common.plugins.parameters import api_routes, parameters
from common.plugins.record import PluginRecord, State
from common.plugins.train_route import has_own_train_route, train_path
from common.runtime import Runtime
from common.serving.tensors import TellsReasons

router = APIRouter(tags=["Atoll"])


class ModelInfo(BaseModel):
    """A model and its state."""

    name: str
    title: str
    description: str | None = Field(None, description="What it does, in a sentence.")
    state: State
    reason: str | None = Field(None, description="Why it is unavailable.")
    routes: list[str] = Field(description="Method and path of each of its routes.")
    old_prefixes: list[str] = Field(description="Prefixes that answer too, for old clients.")
    load_s: float | None = Field(None, description="Seconds its data took to load.")
    failed_versions: dict[str, str] = Field(
        default_factory=dict,
        description="Versions that this process could not open, and why; the ones before them go on answering.",
    )
    panels: list[str] = Field(
        default_factory=list, description="Scripts by which the console shows this model's answers, beside its own."
    )


class ModelParameters(BaseModel):
    """What a model asks for."""

    model: str = Field(description="Name of the model.")
    label: str = Field(description="Name for people.")
    inputs: list[dict[str, Any]] | None = Field(
        None, description="Fields of its `predict`: parameter, label, type, values, req_endpoint, conditions."
    )


@router.get("/models", summary="The models of this process, and their state")
async def models(request: Request) -> list[ModelInfo]:
    runtime: Runtime = request.app.state.runtime
    return [_info(record) for record in runtime.records]


@router.get("/params", response_model_exclude_none=True, summary="What each model asks for")
async def params(request: Request) -> list[ModelParameters]:
    runtime: Runtime = request.app.state.runtime
    return [
        ModelParameters(model=record.name, label=record.title, inputs=parameters(record.router, record.prefix))
        for record in runtime.records
        if record.router is not None
    ]


def routes_of(record: PluginRecord) -> list[str]:
    """Method and path of each route of a model."""
    routes = [
        f"{method} {record.prefix}{path}"
        for path, route in api_routes(record.router)
        for method in sorted(route.methods or ())
    ]
    if record.plugin.train is not None and not has_own_train_route(record):
        routes.append(f"POST {train_path(record)}")
    return routes


def _info(record: PluginRecord) -> ModelInfo:
    tensors = record.plugin.tensors
    return ModelInfo(
        name=record.name,
        title=record.title,
        description=record.description,
        state=record.state,
        reason=record.reason,
        routes=routes_of(record),
        old_prefixes=[old.path for old in record.plugin.prefixes],
        load_s=record.load_s,
        failed_versions=dict(tensors.reasons()) if isinstance(tensors, TellsReasons) else {},
        panels=panels.urls(record),
    )
