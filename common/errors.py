"""The errors that Atoll answers, and their one shape: RFC 9457 problem+json.

::

    AtollError                 500  something of ours went wrong
    ├── SettingsError           -   the process cannot start as configured
    ├── BadRequest             400  the request cannot be read
    ├── Unauthorized           401  who calls is not known; carries WWW-Authenticate
    ├── Forbidden              403  the caller is known, and may not
    ├── NotFound               404
    ├── MethodNotAllowed       405
    ├── RequestTimeout         408  the request did not arrive in time
    ├── Conflict               409
    ├── Gone                   410  it was here, and is kept no longer
    ├── TooLarge               413
    ├── UnsupportedMediaType   415
    ├── Misdirected            421  the name that was called is none of this server's
    ├── Invalid                422  a field is wrong; `errors` names it and what to send
    ├── DependencyFailed       424  something this answer needs is down
    │   └── WrongSchema             the database is that of another release; a SettingsError too
    ├── TooManyRequests        429  the caller asks too much; carries Retry-After
    ├── HeaderTooLarge         431
    └── Unavailable            503  not now; carries Retry-After
        ├── Busy                    the queue for predictions is full
        └── ModelUnavailable        the model has no data, or could not be imported

A class stands for a status and a title; the detail says what happened and what to send instead.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

PROBLEM_JSON = "application/problem+json"
_SHOWN_INPUT_CHARS = 80


class FieldError(BaseModel):
    """One wrong field of a request."""

    field: str = Field(description="Where it stands, e.g. `body.estimators`.")
    message: str = Field(description="What is wrong, and what is accepted.")
    value: Any = Field(None, description="What was given, cut short.")


class Problem(BaseModel):
    """The body of every error answer (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Names the kind of problem.", examples=["urn:atoll:problem:invalid"])
    title: str
    status: int
    detail: str = Field(description="What happened, and what to send instead.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str
    error: str = Field(description="The detail again, for Open Inference clients.")
    errors: list[FieldError] | None = None


class AtollError(Exception):
    """Base of all errors that have an answer of their own.

    Parameters
    ----------
    detail : what happened and what to send instead; shown to the caller, so without secrets.
    errors : the wrong fields, for `Invalid`.
    headers : more response headers.
    extra : more members of the problem body.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal server error"
    slug: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(self.detail)


class SettingsError(AtollError):
    """The process cannot start with these settings."""


class BadRequest(AtollError):
    status, title, slug = 400, "Bad request", "bad-request"


class Unauthorized(AtollError):
    status, title, slug = 401, "Unauthorized", "unauthorized"


class Forbidden(AtollError):
    status, title, slug = 403, "Forbidden", "forbidden"


class NotFound(AtollError):
    status, title, slug = 404, "Not found", "not-found"


class MethodNotAllowed(AtollError):
    status, title, slug = 405, "Method not allowed", "method-not-allowed"


class RequestTimeout(AtollError):
    status, title, slug = 408, "Request timeout", "request-timeout"


class Conflict(AtollError):
    status, title, slug = 409, "Conflict", "conflict"


class Gone(AtollError):
    status, title, slug = 410, "Gone", "gone"


class TooLarge(AtollError):
    status, title, slug = 413, "Content too large", "too-large"


class UnsupportedMediaType(AtollError):
    status, title, slug = 415, "Unsupported media type", "unsupported-media-type"


class Misdirected(AtollError):
    status, title, slug = 421, "Misdirected request", "misdirected"


class Invalid(AtollError):
    """One or more fields are wrong.

    `Invalid.field("target_year", "…", value)` is the short form for one field of the body.
    """

    status, title, slug = 422, "Invalid request", "invalid"

    @classmethod
    def field(cls, name: str, message: str, value: object = None, *, where: str = "body") -> "Invalid":
        """One wrong field: `name` within `where` (body, query, path, header)."""
        return cls(
            f"{name}: {message}",
            errors=[FieldError(field=f"{where}.{name}", message=message, value=shorten(value))],
        )


class DependencyFailed(AtollError):
    status, title, slug = 424, "A dependency is down", "dependency-failed"


class WrongSchema(DependencyFailed, SettingsError):
    """The database has a schema that this release cannot use. Whatever needs no database goes on."""


class TooManyRequests(AtollError):
    """The caller asks too much. `retry_after_s` becomes the `Retry-After` header (whole seconds, at least 1)."""

    status, title, slug = 429, "Too many requests", "too-many-requests"

    def __init__(self, detail: str | None = None, *, retry_after_s: float = 1, **more: Any) -> None:
        super().__init__(detail, **more)
        self.headers.setdefault("Retry-After", str(max(1, math.ceil(retry_after_s))))


class HeaderTooLarge(AtollError):
    status, title, slug = 431, "Request header too large", "header-too-large"


class Unavailable(AtollError):
    """Not now. `retry_after_s` becomes the `Retry-After` header (whole seconds, at least 1)."""

    status, title, slug = 503, "Service unavailable", "unavailable"

    def __init__(self, detail: str | None = None, *, retry_after_s: float = 1, **more: Any) -> None:
        super().__init__(detail, **more)
        self.headers.setdefault("Retry-After", str(max(1, round(retry_after_s))))


class Busy(Unavailable):
    title, slug = "Too busy", "busy"


class ModelUnavailable(Unavailable):
    title, slug = "Model unavailable", "model-unavailable"


BY_STATUS: dict[int, type[AtollError]] = {
    cls.status: cls
    for cls in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        RequestTimeout,
        Conflict,
        Gone,
        TooLarge,
        UnsupportedMediaType,
        Misdirected,
        Invalid,
        DependencyFailed,
        TooManyRequests,
        HeaderTooLarge,
        Unavailable,
    )
}


def shorten(value: object) -> object:
    """A value given by a caller, fit to be shown back: short, and never a whole document."""
    if value is None or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        # JSON has no infinity and no NaN.
        return value if abs(value) < float("inf") else str(value)
    text = value if isinstance(value, str) else repr(value)
    # A lone surrogate may stand in a JSON string, but not in UTF-8.
    text = text[: _SHOWN_INPUT_CHARS + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN_INPUT_CHARS else text[:_SHOWN_INPUT_CHARS] + "…"


def problem(error: AtollError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem+json body of an error, as a plain dict."""
    body: dict[str, Any] = {
        "type": f"urn:atoll:problem:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "request_id": request_id,
        "error": error.detail,
    }
    if error.errors:
        body["errors"] = [item.model_dump() for item in error.errors]
    return body | error.extra


class Stopped(BaseException):
    """Nobody waits for the computation any more: no error, and none of the tree.

    As asyncio's `CancelledError` no `Exception`: a model that goes on after any error of its own must not go on after
    this.
    """
