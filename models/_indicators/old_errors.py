"""How errors look on the prefixes that the first dashboard's clients know."""

from typing import Any

from fastapi.exceptions import RequestValidationError

from common.errors import AtollError


def old_error(error: AtollError) -> dict[str, Any]:
    """`{"detail": {"msg", "type"}}`, and for a body that does not fit the definition the web framework's own list."""
    cause = error.__cause__
    if isinstance(cause, RequestValidationError):
        fields = [{"loc": list(item["loc"]), "msg": item["msg"], "type": item["type"]} for item in cause.errors()]
        return {"detail": fields[:50]}
    return {"detail": {"msg": error.detail, "type": f"value_error.{error.slug}"}}
