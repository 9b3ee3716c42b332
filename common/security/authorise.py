"""Who may do what: a caller without the scope that a route asks for is refused before anything of the body is read.

Stands before the web framework, which reads a body before it asks any dependency, and finds the route by the
framework's own patterns. What is in no rule reaches nobody but `admin`: so is a route that was added behind its back.

Paths that do not exist, and methods that a path does not take, are answered 404 and 405 to whoever may do anything at
all here, 401 to others. OPTIONS is told apart from that: what a path takes is no secret, `/openapi.json` is public.
"""

from starlette._utils import get_route_path  # what the framework matches its routes against
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import AtollError, Forbidden, NotFound
from common.http.boundary import route_template
from common.http.direct import MATCHED, Matched
from common.http.problems import from_http_exception, problem_response
from common.security.audit.refusals import Refusals
from common.security.authenticate import principal_of, refusal_of
from common.security.principal import Principal
from common.security.rules import ANY, PUBLIC, RULES_STATE, Found, Need, Rules
from common.security.scopes import Scope as Permission

_INSUFFICIENT = 'Bearer realm="atoll", error="insufficient_scope", scope="{}"'
_ADMIN_ONLY = _INSUFFICIENT.format(Permission.ADMIN)


def decide(principal: Principal, need: Need, model: str | None = None) -> Forbidden | None:
    """The error for a caller who may not; None for one who may."""
    if not need.met_by(principal):
        return _lacking(need.scope)
    if model is not None and not principal.may_use(model):
        can = ", ".join(sorted(principal.models or ())[:20]) or "none"
        return Forbidden(f"the key is not for the model {model[:80]!r}; its models: {can}")
    return None


def _lacking(scope: Permission | None) -> Forbidden:
    # Where any will do, the least of them is named.
    least = scope or Permission.PREDICT
    headers = {"WWW-Authenticate": _INSUFFICIENT.format(least)}
    needed = f"the scope `{scope}`, which the caller does not have" if scope else "a scope, and the caller has none"
    return Forbidden(f"this needs {needed}", headers=headers)


class Authorise:
    """Pure ASGI; within `Authenticate`. The app's rules are those of its state."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        error = self._refusal(scope)
        if error is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await problem_response(error, scope)(scope, receive, send)
            # After the answer, which does not wait for it.
            await self._note(error, scope)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": error.title})

    async def _note(self, error: AtollError, scope: Scope) -> None:
        """Put a refused attempt at what is for `admin` into the audit log."""
        principal = principal_of(scope)
        if not isinstance(error, Forbidden) or not principal.id or _ADMIN_ONLY not in error.headers.values():
            return
        target = f"{scope['method']} {route_template(scope)}"
        if self._refusals.is_due(principal, target):
            await run_in_threadpool(self._refusals.record, principal, target)

    def _refusal(self, scope: Scope) -> AtollError | None:
        rules: Rules = getattr(scope["app"].state, RULES_STATE)
        principal = principal_of(scope)
        path, method = get_route_path(scope), scope.get("method", "")
        is_websocket = scope["type"] == "websocket"
        found = here = rules.find(path, method, is_websocket=is_websocket)
        if found is None:
            # The framework redirects to the same path with a slash more or less.
            found = rules.find(path.rstrip("/") if path.endswith("/") else path + "/", method)
            if found is None:
                return self._unknown(scope, principal)
        need = _need(found, method)
        error = decide(principal, need, _model(need, found))
        if error is None:
            if here is not None and not here.is_partial:
                scope[MATCHED] = Matched(found.rule.context, found.parameters)
            return None
        # For the metrics: which route it was.
        scope["route"] = found.rule.route
        return error if principal.id else refusal_of(scope, need.told)

    @staticmethod
    def _unknown(scope: Scope, principal: Principal) -> AtollError | None:
        if principal.may(Permission.ADMIN):
            return None
        error = decide(principal, ANY)
        if error is not None:
            return error if principal.id else refusal_of(scope, ANY.told)
        if scope["type"] == "websocket":
            return NotFound()
        return from_http_exception(Request(scope), HTTPException(404))


def _need(found: Found, method: str) -> Need:
    need = found.rule.need(method)
    if not found.is_partial or need.is_public:
        return need
    return PUBLIC if method == "OPTIONS" else ANY


def _model(need: Need, found: Found) -> str | None:
    return found.parameters.get(need.model_parameter) if need.model_parameter else need.model
