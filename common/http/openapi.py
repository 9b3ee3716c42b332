"""What Atoll adds to the OpenAPI document that FastAPI writes: the shape of errors, and plugins' examples."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from common.errors import PROBLEM_JSON, Problem
from common.http.content import Content
from common.telemetry.logs import get_logger

log = get_logger("atoll.http")

# Path -> why it is not in the document; there once the document was written.
UNDOCUMENTED_STATE = "undocumented_routes"
_CONTENT_STATE = "openapi_content"
_WRITING = Lock()
_COMPONENT = "#/components/schemas/{model}"
_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def problem_answer(description: str) -> dict[str, Any]:
    """A value for `responses=`: an error answer of the one shape."""
    return {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": _COMPONENT.format(model=Problem.__name__)}}},
    }


def complete(
    app: FastAPI,
    examples: Mapping[str, Mapping[str, Mapping[str, Any]]],
    add: Callable[[dict[str, Any]], None] = lambda document: None,
) -> None:
    """Make `app.openapi()` define `Problem`, and offer the examples of request bodies.

    Parameters
    ----------
    examples : path of a POST route -> name -> body.
    add : writes more into the document.
    """
    build: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = app.openapi_schema = _built(app, build)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template=_COMPONENT)
            schemas |= problem.pop("$defs") | {Problem.__name__: problem}
            _drop_unused(document)
            _name_bounds(document)
            for path, bodies in examples.items():
                content = _json_body(document, path)
                if content is not None:
                    content["examples"] = {name: {"value": dict(body)} for name, body in bodies.items()}
            add(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents for changing the document


@dataclass(frozen=True)
class Part:
    """Of a document what is about some paths.

    Parameters
    ----------
    name : of what they are the paths; the same name is the same part.
    """

    name: str
    paths: frozenset[str]

    def of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """These paths, and the schemas that they need. Pure."""
        paths = {path: item for path, item in document["paths"].items() if path in self.paths}
        components = document.get("components", {})
        part = {name: value for name, value in document.items() if name != "webhooks"}
        part |= {"paths": paths, "components": {**components, "schemas": dict(components.get("schemas", {}))}}
        _drop_unused(part)
        return part


def content(app: FastAPI, part: Part | None = None) -> Content:
    """The document, or a part of it, as it is sent: written, and compressed, once."""
    with _WRITING:
        kept: dict[str, Content] = getattr(app.state, _CONTENT_STATE, {})
        setattr(app.state, _CONTENT_STATE, kept)
        name = part.name if part else ""
        if name not in kept:
            document = part.of(app.openapi()) if part else app.openapi()
            body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
            kept[name] = Content.of(body, "application/json")
        return kept[name]


def _built(app: FastAPI, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The document; without the routes, if any, whose types have no schema."""
    try:
        return build()
    except Exception as exc:  # noqa: BLE001  # whatever a plugin's types do, clients of the others need their document
        log.error("not all routes can be documented", error=f"{type(exc).__name__}: {exc}"[:300])
    undocumented: dict[str, str] = {}
    routes = []
    for route in iter_route_contexts(app.routes):
        try:
            get_openapi(title=app.title, version=app.version, routes=[route])
        except Exception as exc:  # noqa: BLE001  # as above
            undocumented[str(route.path)] = f"{type(exc).__name__}: {exc}"[:300]
            log.error("route cannot be documented", route=str(route.path), reason=undocumented[str(route.path)])
        else:
            routes.append(route)
    setattr(app.state, UNDOCUMENTED_STATE, undocumented)
    return get_openapi(title=app.title, version=app.version, description=app.description, routes=routes)


def _json_body(document: dict[str, Any], path: str) -> dict[str, Any] | None:
    """The JSON body of the POST route at `path`; None where it takes none, or is kept out of the document."""
    body = document["paths"].get(path, {}).get("post", {}).get("requestBody", {})
    content: dict[str, Any] | None = body.get("content", {}).get("application/json")
    return content


def _name_bounds(node: Any) -> None:
    """Call bounds as JSON Schema does: pydantic has its own words where a function checks numbers."""
    if isinstance(node, dict):
        if node.get("type") in ("integer", "number"):
            for own, standard in _BOUNDS.items():
                if own in node:
                    node[standard] = node.pop(own)
        for value in node.values():
            _name_bounds(value)
    elif isinstance(node, list):
        for value in node:
            _name_bounds(value)


def _drop_unused(document: dict[str, Any]) -> None:
    """Leave out schemas that nothing refers to: FastAPI lists enums by value, where definitions name their members."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    while unused := schemas.keys() - set(_referred(document)):
        for name in unused:
            del schemas[name]


def _referred(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        for value in node.values():
            yield from _referred(value)
    elif isinstance(node, list):
        for value in node:
            yield from _referred(value)
