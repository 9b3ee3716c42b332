"""Errors as the web framework answers them by itself: the shape that clients of plain FastAPI services know."""

from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError

from common.errors import AtollError, shorten

_SHOWN_ERRORS = 50
# What the encoder of answers takes.
_LONGEST_BITS = 63
_LONGEST_INPUT = 2000


def framework_error(error: AtollError) -> dict[str, Any]:
    """`{"detail": …}`: the framework's own list for a body that does not fit, else the text. For `OldPrefix`."""
    cause = error.__cause__
    if isinstance(cause, RequestValidationError):
        # The context of a validator's error is the exception itself, of which the framework answers the text.
        shown = [
            {name: _brief(value) if name == "input" else value for name, value in error.items()}
            for error in cause.errors()[:_SHOWN_ERRORS]
        ]
        return {"detail": jsonable_encoder(shown, custom_encoder={ValueError: str, int: _whole})}
    return {"detail": error.detail}


def _brief(value: object) -> object:
    """What was sent, as the framework shows it; where it is large the beginning of it, since each error shows it."""
    return value if len(repr(value)) <= _LONGEST_INPUT else shorten(value)


def _whole(number: int) -> int | str:
    return number if number.bit_length() <= _LONGEST_BITS else f"a whole number of {number.bit_length()} bits"
