"""The request that is being answered, for what is called deep inside one: the audit log."""

from contextvars import ContextVar

from starlette.types import Scope

# Set by the boundary; threads that a route starts through the framework see it too.
CURRENT_SCOPE: ContextVar[Scope | None] = ContextVar("atoll_scope", default=None)
