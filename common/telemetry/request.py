"""What every event says of the request during which it happens."""

from structlog.typing import EventDict

from common.http.current import CURRENT_SCOPE
from common.telemetry import tracing


def request_fields() -> dict[str, str]:
    """The id of the request that is being answered, who sent it, and of the trace, as far as they are known."""
    fields = {} if tracing.spans is None else tracing.spans.fields()
    scope = CURRENT_SCOPE.get()
    if scope is None:
        return fields
    state = scope.get("state", {})
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
