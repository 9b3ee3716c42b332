"""What a model's `POST …/predict` asks for, read from the type of its body: the list that `/params` answers."""

import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Union, get_args, get_origin

from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from common.plugins.definition import conditions_of

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def api_routes(router: APIRouter | None) -> Iterator[tuple[str, APIRoute]]:
    """Path and route of each of the router's routes, those of the routers it includes among them."""
    for found in iter_route_contexts(router.routes if router else ()):
        if isinstance(found.original_route, APIRoute) and found.path is not None:
            yield str(found.path), found.original_route


def predict_route(router: APIRouter | None) -> tuple[str, APIRoute] | None:
    """Path and route of the router's `POST …/predict`, if it has one."""
    for path, route in api_routes(router):
        if "POST" in (route.methods or ()) and path.endswith("/predict"):
            return path, route
    return None


def request_model(route: APIRoute) -> type[BaseModel] | None:
    """The definition of a route's JSON body, if it has one."""
    for field in route.dependant.body_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
    return None


def parameters(router: APIRouter | None, prefix: str = "") -> list[dict[str, Any]] | None:
    """An item per field of the predict request; None where there is no predict route with a definition.

    Each is {parameter, label, type (a JSON type, or "enum" with `values` {NAME: label})} and, where they apply,
    `description`, `req_endpoint` {endpoint, method, inputs} and `conditions`: `[{"required": True}]`, or
    `[{"required": [{"scheme": "MANUAL"}]}]` for a field that is required under conditions.
    """
    found = predict_route(router)
    model = request_model(found[1]) if found else None
    if router is None or model is None:
        return None
    return [_parameter(router, prefix, model, name, field) for name, field in model.model_fields.items()]


def _parameter(router: APIRouter, prefix: str, model: type[BaseModel], name: str, field: FieldInfo) -> dict[str, Any]:
    item: dict[str, Any] = {"parameter": field.alias or name, "label": field.title or name}
    if field.description:
        item["description"] = field.description
    kind = _plain_type(field.annotation)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        item["type"] = "enum"
        item["values"] = {member.name: str(member.value) for member in kind}
    else:
        item["type"] = _json_type(kind)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    endpoint = _endpoint(router, prefix, extra.get("req_endpoint"))
    if endpoint:
        item["req_endpoint"] = endpoint
    conditions = conditions_of(model, name)
    if field.is_required():
        item["conditions"] = [{"required": True}]
    elif conditions:
        item["conditions"] = [{"required": conditions}]
    return item


def _plain_type(annotation: Any) -> Any:
    """The type without `Optional` and `Annotated`; the first member of another union."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        members = [part for part in get_args(annotation) if part is not types.NoneType]
        return _plain_type(members[0])
    if hasattr(annotation, "__metadata__"):
        return _plain_type(get_args(annotation)[0])
    return annotation


def _json_type(kind: Any) -> str:
    origin = get_origin(kind) or kind
    if origin is typing.Literal:
        return _JSON_TYPES.get(type(get_args(kind)[0]), "string")
    if not isinstance(origin, type):
        return "string"
    for python, name in _JSON_TYPES.items():
        if issubclass(origin, python):
            return name
    if issubclass(origin, Sequence | Set) and not issubclass(origin, bytes):
        return "array"
    return "object" if issubclass(origin, Mapping | BaseModel) else "string"


def _endpoint(router: APIRouter, prefix: str, declared: Any) -> dict[str, Any] | None:
    """Method, path and inputs of the route named by its last segment; a mapping is taken as it is."""
    if isinstance(declared, Mapping):
        return dict(declared)
    for path, route in api_routes(router):
        if isinstance(declared, str) and path.endswith(f"/{declared}"):
            return {
                "endpoint": prefix + path,
                "method": sorted(route.methods or ())[0],
                "inputs": list(_inputs(route)),
            }
    return None


def _inputs(route: APIRoute) -> Iterator[str]:
    yield from (field.alias for field in route.dependant.query_params)
    model = request_model(route)
    if model is not None:
        yield from model.model_fields
