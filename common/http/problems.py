"""Errors become answers: problem+json, or on an old prefix the shape its old clients know."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from common.errors import (
    BY_STATUS,
    PROBLEM_JSON,
    AtollError,
    FieldError,
    Invalid,
    UnsupportedMediaType,
    problem,
    shorten,
)
from common.telemetry.logs import get_logger
from common.telemetry.masking import mask

log = get_logger("atoll.http")

# Gives the body of an error in the shape of an old interface.
LegacyShape = Callable[[AtollError], Any]

# Old prefixes and their shapes; filled where plugins are mounted (`common.plugins.mount`).
LEGACY_STATE = "legacy_error_shapes"

_JSON = ("application/json", "+json")
_SHOWN_ERRORS = 50
# Their text is meant for callers; of any other 5xx only the log has it.
_EXPLAINED = frozenset({503, 507})
# orjson writes 254 levels.
_DEEPEST = 50
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def problem_response(error: AtollError, scope: Scope) -> Response:
    """The answer to `error` for the request of `scope`."""
    path = scope["path"]
    app = scope.get("app")
    for prefix, shape in getattr(getattr(app, "state", None), LEGACY_STATE, {}).items():
        if path == prefix or path.startswith(prefix + "/"):
            body = _masked(_legacy(shape(error)))
            return Response(body, error.status, error.headers, media_type="application/json")
    request_id = scope.get("state", {}).get("request_id", "")
    body = _masked(orjson.dumps(problem(error, instance=shorten_path(path), request_id=request_id), default=str))
    return Response(body, error.status, error.headers, media_type=PROBLEM_JSON)


def _legacy(found: Any) -> bytes:
    """A body in an old shape, as JSON. It may quote what the caller sent: half a character, or lists without end."""
    try:
        return orjson.dumps(found, default=str)
    except TypeError:
        return orjson.dumps(_sendable(found), default=str)


def _sendable(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping | list | tuple) and depth == _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_sendable(str(key)): _sendable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(item, depth + 1) for item in value]
    return value


def _masked(body: bytes) -> bytes:
    """Without secrets: a plugin's error may quote what it was configured with, a caller's own values are echoed."""
    return mask(body.decode()).encode()


def shorten_path(path: str) -> str:
    """A path fit for an answer: valid text, at most 200 characters."""
    return path[:200].encode("utf-8", "replace").decode()


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """pydantic's errors with our names: the field as a dotted path, the value cut short."""
    return [
        FieldError(
            field=".".join(str(part) for part in item["loc"])[:200].encode("utf-8", "replace").decode(),
            message=item["msg"].removeprefix("Value error, "),
            value=shorten(item.get("input")),
        )
        if item["type"] != "json_invalid"
        else FieldError(field="body", message=f"not JSON at character {item['loc'][-1]}: {item['ctx']['error']}")
        for item in errors
    ]


def from_validation(request: Request, exc: RequestValidationError) -> AtollError:
    """The error for a request that FastAPI could not read into the route's types."""
    errors = exc.errors()
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # The framework hands on the bytes of a body that it did not take for JSON; without a body there is no input.
    unread = [item for item in errors if tuple(item["loc"]) == ("body",)]
    sent = any(isinstance(item.get("input"), bytes) for item in unread)
    error: AtollError
    if unread and not content_type.endswith(_JSON) and (content_type or sent):
        given = f"the body is {content_type[:80]!r}" if content_type else "the body has no Content-Type"
        error = UnsupportedMediaType(f"{given}; send application/json")
        error.__cause__ = exc
        return error
    # A body of megabytes may be wrong in a hundred thousand places.
    fields = field_errors(errors[:_SHOWN_ERRORS])
    shown = "; ".join(f"{item.field.removeprefix('body.')}: {item.message}" for item in fields[:5])
    more = f" (and {len(errors) - 5} more)" if len(errors) > 5 else ""
    error = Invalid(shown + more, errors=fields)
    # Old prefixes answer these in the shape that clients of the web framework know.
    error.__cause__ = exc
    return error


def from_http_exception(request: Request, exc: HTTPException) -> AtollError:
    """The error for Starlette's own exceptions: no such route, method not allowed, unreadable body."""
    detail = exc.detail if isinstance(exc.detail, str) else orjson.dumps(exc.detail, default=str).decode()
    if exc.status_code == 404 and detail == "Not Found":
        detail = f"there is no {shorten_path(request.url.path)!r} here; /docs lists the routes, /models the models"
    elif exc.status_code == 400 and detail == "There was an error parsing the body":
        detail = "the body cannot be read; send JSON in UTF-8, without numbers of thousands of digits or deep nesting"
    headers = dict(exc.headers or {})
    if exc.status_code >= 500 and exc.status_code not in _EXPLAINED:
        log.error("request failed", path=shorten_path(request.url.path), exc_info=exc)
        return AtollError()
    if exc.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request, headers.get("Allow", "")))
        detail = f"{request.method[:20]} is not possible here; use {headers['Allow'] or 'another method'}"
    known = BY_STATUS.get(exc.status_code)
    if known is not None:
        return known(detail, headers=headers)
    error = AtollError(detail, headers=headers)
    # A status without a class of its own; the instance says what the class cannot.
    error.status, error.title = exc.status_code, "Error"  # type: ignore[misc]  # class variables elsewhere
    error.slug = f"http-{exc.status_code}"  # type: ignore[misc]  # as above
    return error


def _allowed(request: Request, told: str) -> list[str]:
    """The methods of all routes of this path; the framework tells those of the first.

    Where a route has the very path, those that would take it for a parameter (`/keys/self` for `/keys/{key_id}`) do not
    count.
    """
    path = request.url.path
    routes = list(iter_route_contexts(request.app.router.routes))
    own = [route for route in routes if route.path == path]
    matching = own or [route for route in routes if route.path_regex is not None and route.path_regex.match(path)]
    allowed = {method for route in matching for method in route.methods or ()}
    allowed = allowed or {method.strip() for method in told.split(",") if method.strip()}
    # The boundary answers HEAD wherever a route answers GET.
    return sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))


async def answer_atoll_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, AtollError)  # noqa: S101 - registered for this class only
    if exc.status >= 500 and exc.status not in _EXPLAINED:
        log.error("request failed", path=shorten_path(request.url.path), exc_info=exc)
        return problem_response(AtollError(), request.scope)
    return problem_response(exc, request.scope)


async def answer_validation_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for this class only
    return problem_response(from_validation(request, exc), request.scope)


async def answer_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for this class only
    return problem_response(from_http_exception(request, exc), request.scope)


async def answer_half_character(request: Request, exc: Exception) -> Response:
    """JSON can name half of a surrogate pair (`"\\ud800"`), which is no character and cannot be sent back.

    Nothing finds it before something tries to encode it; that is the fault of the request, unless it has none.
    """
    if not _HALF_CHARACTER.search(await request.body()):
        # Of another type: raised again as it is, it would come back here, with a body that has been read.
        raise RuntimeError("the answer cannot be encoded") from exc
    told = r"holds half a character (\ud800 to \udfff alone); send well-formed Unicode"
    error = Invalid(f"body: {told}", errors=[FieldError(field="body", message=told, value=None)])
    return problem_response(error, request.scope)
