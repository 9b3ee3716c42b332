"""What every event says of the request during which it happens."""

from structlog.typing import EventDict

from common.http.current import CURRENT_SCOPE


def request_fields() -> dict[str, str]:
    """The id of the request that is being answered, and of who sent it, as far as they are known."""
    scope = CURRENT_SCOPE.get()
    if scope is None:
        return {}
    state = scope.get("state", {})
    fields = {}
    if request_id := state.get("request_id"):
        fields["request_id"] = request_id
    principal = state.get("principal")
    if principal is not None and principal.id:
        fields["principal"] = principal.id
    return fields


def add_request(_: object, __: str, event: EventDict) -> EventDict:
    """A processor of structlog: what an event says itself goes before."""
    for name, value in request_fields().items():
        event.setdefault(name, value)
    return event
