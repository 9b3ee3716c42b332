"""The old shape of answers. Pure."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.responses import Response

from common.errors import AtollError


def enveloped(
    description: str = "", *, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """An answer: `http_status`, and `more` beside it."""
    return raw(description, more, status=status, headers=headers)


def raw(
    description: str,
    more: Mapping[str, Any],
    written: Mapping[str, bytes] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """As `enveloped`; `written` are members that are JSON already."""
    body = orjson.dumps({"http_status": _status(status, description), **more})
    for name, value in (written or {}).items():
        body = body[:-1] + b"," + orjson.dumps(name) + b":" + value + b"}"
    return Response(body, status, dict(headers or {}), media_type="application/json")


def error_shape(error: AtollError) -> dict[str, Any]:
    """The body of an error."""
    return {"http_status": _status(error.status, error.detail)}


def _status(code: int, description: str) -> dict[str, Any]:
    try:
        name = HTTPStatus(code).phrase
    except ValueError:
        name = "Error"
    return {"code": code, "name": name, "description": description or name}
