"""Putting plugins' routes into the app: under their own prefix, and under the old ones."""

import inspect
from collections.abc import Sequence
from enum import Enum
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from common.http.boundary import MOUNTED_STATE
from common.http.openapi import problem_answer
from common.http.problems import LEGACY_STATE, LegacyShape
from common.plugins.claims import Claims, in_order
from common.plugins.contract import Plugin
from common.plugins.defer import make_deferrable
from common.plugins.parameters import api_routes, predict_route
from common.plugins.record import PluginRecord
from common.plugins.train_route import add_train_route
from common.security.rules import PLUGINS_STATE, PluginRoutes
from common.security.scopes import Scope
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.plugins")

# What any route of a plugin may answer; documented once here instead of at every route.
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: problem_answer(text)
    for status, text in {
        400: "The body cannot be read.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "A field is wrong; `errors` names each, and what is accepted.",
        429: "Too many requests, or too many jobs wait; `Retry-After` tells when.",
        503: "Not now; `Retry-After` tells when.",
    }.items()
}


def mount_all(app: FastAPI, records: Sequence[PluginRecord]) -> None:
    """Mount every plugin that can be; one that cannot becomes unavailable with the reason, the others are served."""
    claims = Claims()
    for record in in_order(records):
        if record.router is None:
            continue
        routes, lifespan = list(app.router.routes), app.router.lifespan_context
        try:
            refused = claims.take(record)
            if refused is None:
                mount(app, record)
                # FastAPI puts included routes together when they are first asked for; what is wrong must show now.
                list(iter_route_contexts(app.router.routes[len(routes) :]))
        # Whatever a plugin declares must not take the others down.
        except Exception as exc:
            app.router.routes[:], app.router.lifespan_context = routes, lifespan
            refused = f"cannot be mounted: {type(exc).__name__}: {exc}"[:500]
            log.error("plugin cannot be mounted", model=record.name, reason=refused, exc_info=exc)
        else:
            if refused is None:
                _note_owner(app, record, app.router.routes[len(routes) :])
            else:
                log.error("plugin cannot be mounted", model=record.name, reason=refused)
        if refused is not None:
            _withdraw(record, refused)


def body_limits(records: Sequence[PluginRecord]) -> dict[str, int]:
    """The largest bodies that plugins declare, by the prefixes under which they are mounted."""
    return {
        prefix: record.plugin.max_body_bytes
        for record in records
        if record.router is not None and record.plugin.max_body_bytes is not None
        for prefix in (record.prefix or record.router.prefix, *(old.path for old in record.plugin.prefixes))
    }


def large_bodies(records: Sequence[PluginRecord]) -> list[str]:
    """Method and path of the routes that count their bodies for themselves, under each prefix."""
    return [
        f"{method} {prefix}{path}"
        for record in records
        if record.router is not None
        for method, _, path in (route.partition(" ") for route in record.plugin.large_bodies)
        for prefix in (record.prefix or record.router.prefix, *(old.path for old in record.plugin.prefixes))
    ]


def _withdraw(record: PluginRecord, reason: str) -> None:
    # Without its declarations too: nothing of it is listed, and a `load` that succeeds must not make it ready.
    record.plugin = Plugin(title=record.title)
    record.router, record.state, record.reason = None, "unavailable", reason
    metrics.MODEL_READY.labels(record.name).set(0)


def _note_owner(app: FastAPI, record: PluginRecord, routes: Sequence[BaseRoute]) -> None:
    """Keep whose the routes are: what they ask of a caller depends on it."""
    noted: dict[int, PluginRoutes] = getattr(app.state, PLUGINS_STATE, {})
    plugin = _routes_of(record)
    setattr(app.state, PLUGINS_STATE, noted | {id(route): plugin for route in routes})


def _routes_of(record: PluginRecord) -> PluginRoutes:
    own = record.prefix or (record.router.prefix if record.router else "")
    prefixes = (own, f"/{record.name}", *(old.path for old in record.plugin.prefixes))
    return PluginRoutes(record.name, prefixes, {key: Scope(name) for key, name in record.plugin.scopes.items()})


def _check_routes(record: PluginRecord) -> None:
    """A declaration that no route has would protect nothing, and let nothing through."""
    plugin = _routes_of(record)
    routers = [(record.prefix, record.router)]
    routers += [(old.path, old.router) for old in record.plugin.prefixes if old.router is not None]
    known = {
        f"{method} {plugin.below_prefix(before + path)}"
        for before, router in routers
        for path, route in api_routes(router)
        for method in route.methods or ()
    }
    known.add("POST /train")
    for name, declared in (("scopes", plugin.scopes.keys()), ("large_bodies", set(record.plugin.large_bodies))):
        wrong = sorted(declared - known)
        if wrong:
            raise ValueError(f"Plugin({name}=…): there is no route {wrong[0]!r}; there are {', '.join(sorted(known))}")


def mount(app: FastAPI, record: PluginRecord) -> None:
    """Include the routes of `record`, which must have a router; each waits for the model to be ready."""
    router = record.router
    if router is None:
        return
    _check_routes(record)
    predict = predict_route(router)
    if predict is not None:
        make_deferrable(record, predict[1])
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
        if old.router is None:
            app.include_router(_moved(router, old.path), dependencies=dependencies, include_in_schema=False)
        else:
            app.include_router(old.router, prefix=old.path, dependencies=dependencies, include_in_schema=False)
        shapes[old.path] = old.error_shape


def _moved(router: APIRouter, prefix: str) -> APIRouter:
    """A copy of `router`, with the routers it includes, under another prefix; its routes keep all their options."""
    routes: list[BaseRoute] = []
    for route in iter_route_contexts(router.routes):
        original = route.original_route
        if isinstance(original, APIRoute):
            options: dict[str, Any] = {
                name: getattr(route, name, getattr(original, name, None))
                for name in list(inspect.signature(APIRoute).parameters)[1:]
            }
            path = prefix + str(route.path).removeprefix(router.prefix)
            routes.append(type(original)(path, **options | {"include_in_schema": False}))
    return APIRouter(routes=routes)
