"""Putting plugins' routes into the app: under their own prefix, and under the old ones."""

from enum import Enum

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from common.http.boundary import MOUNTED_STATE
from common.http.openapi import problem_answer
from common.http.problems import LEGACY_STATE, LegacyShape
from common.plugins.defer import make_deferrable
from common.plugins.parameters import predict_route
from common.plugins.record import PluginRecord
from common.plugins.train_route import add_train_route

# What any route of a plugin may answer; documented once here instead of at every route.
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: problem_answer(text)
    for status, text in {
        400: "The body cannot be read.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "A field is wrong; `errors` names each, and what is accepted.",
        503: "Not now; `Retry-After` tells when.",
    }.items()
}


def mount(app: FastAPI, record: PluginRecord) -> None:
    """Include the routes of `record`, which must have a router; each waits for the model to be ready."""
    router = record.router
    if router is None:
        return
    predict = predict_route(router)
    if predict is not None:
        make_deferrable(record, predict)
    dependencies = [Depends(record.require_ready)] if record.plugin.load is not None else []
    tags: list[str | Enum] | None = None if router.tags else [record.name]
    app.include_router(router, prefix=record.prefix, tags=tags, dependencies=dependencies, responses=PROBLEMS)
    if record.prefix:
        mounted: dict[int, str] = getattr(app.state, MOUNTED_STATE, {})
        setattr(app.state, MOUNTED_STATE, mounted | {id(route): record.prefix for route in router.routes})
    add_train_route(app, record, PROBLEMS)
    shapes: dict[str, LegacyShape] = getattr(app.state, LEGACY_STATE, {})
    setattr(app.state, LEGACY_STATE, shapes)
    for old in record.plugin.prefixes:
        app.include_router(_moved(router, old.path), dependencies=dependencies, include_in_schema=False)
        shapes[old.path] = old.error_shape


def _moved(router: APIRouter, prefix: str) -> APIRouter:
    """A copy of `router` under another prefix."""
    moved = APIRouter(prefix=prefix)
    for route in router.routes:
        if isinstance(route, APIRoute):
            moved.add_api_route(
                route.path.removeprefix(router.prefix),
                route.endpoint,
                methods=sorted(route.methods or ()),
                dependencies=route.dependencies,
                response_model=route.response_model,
                status_code=route.status_code,
                name=route.name,
                include_in_schema=False,
            )
    return moved
