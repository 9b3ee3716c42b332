"""Errors as the web framework answers them by itself: the shape that clients of plain FastAPI services know."""

from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError

from common.errors import AtollError

_SHOWN_ERRORS = 50


def framework_error(error: AtollError) -> dict[str, Any]:
    """`{"detail": …}`: the framework's own list for a body that does not fit, else the text. For `OldPrefix`."""
    cause = error.__cause__
    if isinstance(cause, RequestValidationError):
        # The context of a validator's error is the exception itself, of which the framework answers the text.
        return {"detail": jsonable_encoder(cause.errors()[:_SHOWN_ERRORS], custom_encoder={ValueError: str})}
    return {"detail": error.detail}
