"""What each route of an app asks of its caller. Built once, from the routes that are there.

A route of Atoll's own has its line in `OWN`, and one without is for `admin`. A plugin's routes are for `predict`, its
`train` for `train`; what the plugin declares (`Plugin.scopes`) goes before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from common.security.principal import Principal
from common.security.scopes import Scope


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of its caller.

    Parameters
    ----------
    scope : the one that it takes; None for any.
    is_public : nobody is asked who they are.
    model : the model that is used.
    model_parameter : the part of the path that names the model.
    """

    scope: Scope | None = None
    is_public: bool = False
    model: str | None = None
    model_parameter: str | None = None

    def met_by(self, principal: Principal) -> bool:
        """Whether the caller has the scope; whether the model is for them is another question."""
        if self.is_public:
            return True
        return bool(principal.scopes) if self.scope is None else principal.may(self.scope)

    @property
    def told(self) -> str:
        """For people."""
        return "nothing" if self.is_public else f"a key with the scope `{self.scope}`" if self.scope else "a key"


PUBLIC = Need(is_public=True)
# Where an app keeps what is mounted by whom, by the identity of the route; and the rules made of it.
PLUGINS_STATE = "plugin_routes"
RULES_STATE = "rules"

# Whoever has a scope at all.
ANY = Need()
PREDICT, TRAIN, SUBMIT, ADMIN = map(Need, (Scope.PREDICT, Scope.TRAIN, Scope.SUBMIT, Scope.ADMIN))
_OF_MODEL = Need(Scope.PREDICT, model_parameter="model")
_OVER_MODEL = Need(Scope.ADMIN, model_parameter="model")
_TRAINS_MODEL = Need(Scope.TRAIN, model_parameter="model")

_KIND = re.compile(r":[a-z]+}")
# Stands for the methods that a route does not name.
_OTHER = "*"

# Jobs show and change only what the caller owns (`ownership`), so any scope will do.
OWN: Mapping[str, Need] = {
    "GET /": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /docs/start.js": PUBLIC,
    "GET /docs/{name}": PUBLIC,
    "GET /openapi.json": PUBLIC,
    # Shells without data: what they show is asked for by routes of their own.
    "GET /console": PUBLIC,
    "GET /console/static/{digest}/{name:path}": PUBLIC,
    "GET /console/models": PUBLIC,
    "GET /console/models/{name}": PUBLIC,
    "GET /console/jobs": PUBLIC,
    "GET /console/jobs/{job_id}": PUBLIC,
    "GET /console/tasks": PUBLIC,
    "GET /console/tasks/new": PUBLIC,
    "GET /console/tasks/{task_id}": PUBLIC,
    "GET /console/clusters": PUBLIC,
    "GET /console/data": PUBLIC,
    "GET /console/settings": PUBLIC,
    "GET /console/help": PUBLIC,
    "GET /console/help/{path:path}": PUBLIC,
    "GET /console/sign-in": PUBLIC,
    "GET /console/sign-in/oidc": PUBLIC,
    "GET /console/sign-in/callback": PUBLIC,
    # Out, whatever the credential is still worth.
    "POST /console/session": ANY,
    "DELETE /console/session": PUBLIC,
    "GET /console/packages/{digest}/{name}": PUBLIC,
    "GET /console/panels/{model}/{digest}/{name}": PUBLIC,
    "GET /console/shapes/{tag}/world.json": PUBLIC,
    "GET /console/{rest:path}": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /metrics": ANY,
    "GET /models": ANY,
    "GET /params": ANY,
    "GET /datasets": PREDICT,
    "GET /datasets/{name}/{file}": PREDICT,
    "PUT /datasets/{name}/{file}": ADMIN,
    "DELETE /datasets/{name}/{file}": ADMIN,
    "GET /registry": PREDICT,
    "GET /registry/{model}": _OF_MODEL,
    "GET /registry/{model}/versions/{n}": _OF_MODEL,
    "GET /registry/{model}/versions/{n}/artefacts/{name}": _OF_MODEL,
    "PATCH /registry/{model}": _OVER_MODEL,
    "DELETE /registry/{model}": _OVER_MODEL,
    "PATCH /registry/{model}/versions/{n}": _OVER_MODEL,
    "DELETE /registry/{model}/versions/{n}": _OVER_MODEL,
    "PUT /registry/{model}/aliases/{alias}": _OVER_MODEL,
    "DELETE /registry/{model}/aliases/{alias}": _OVER_MODEL,
    "POST /registry/{model}/aliases/{alias}/rollback": _OVER_MODEL,
    "POST /registry/{model}/promote": _OVER_MODEL,
    "PUT /registry/{model}/traffic": _OVER_MODEL,
    "DELETE /registry/{model}/traffic": _OVER_MODEL,
    "GET /registry/{model}/sampling": _OF_MODEL,
    "PUT /registry/{model}/sampling": _OVER_MODEL,
    "DELETE /registry/{model}/sampling": _OVER_MODEL,
    # Who publishes versions.
    "PUT /registry/{model}/versions/{n}/snapshot": _TRAINS_MODEL,
    # It tells what others ask, and costs.
    "POST /registry/{model}/versions/{n}/drift": _OVER_MODEL,
    "GET /jobs": ANY,
    "GET /jobs/{job_id}": ANY,
    "GET /jobs/{job_id}/result": ANY,
    "GET /jobs/{job_id}/logs": ANY,
    "GET /jobs/{job_id}/trials": ANY,
    "DELETE /jobs/{job_id}": ANY,
    "POST /jobs/{job_id}/retry": ANY,
    # As jobs: what the caller owns. To run programs is a permission of its own.
    "GET /tasks": ANY,
    "POST /tasks": SUBMIT,
    "POST /tasks/preview": SUBMIT,
    "GET /tasks/{task_id}": ANY,
    "GET /tasks/{task_id}/logs": ANY,
    "GET /tasks/{task_id}/files": ANY,
    "GET /tasks/{task_id}/files/{path:path}": ANY,
    "DELETE /tasks/{task_id}": SUBMIT,
    "POST /tasks/{task_id}/retry": SUBMIT,
    "POST /tasks/uploads": SUBMIT,
    "GET /tasks/uploads/{upload_id}": SUBMIT,
    "PUT /tasks/uploads/{upload_id}/parts/{number}": SUBMIT,
    "POST /tasks/uploads/{upload_id}": SUBMIT,
    "DELETE /tasks/uploads/{upload_id}": SUBMIT,
    "POST /new_task": SUBMIT,
    "GET /job_status/{cluster_job_id}": ANY,
    "GET /clusters": ANY,
    "GET /clusters/{name}": ANY,
    "GET /keys": ADMIN,
    "POST /keys": ADMIN,
    "GET /keys/self": ANY,
    "GET /keys/{key_id}": ADMIN,
    "DELETE /keys/{key_id}": ADMIN,
    "GET /v2": PREDICT,
    "GET /v2/health/live": PUBLIC,
    "GET /v2/health/ready": PUBLIC,
    "GET /v2/models": PREDICT,
    "POST /v2/repository/index": PREDICT,
    # Which models a key is for is looked at there: a plugin's models have names of their own.
    "GET /v2/models/{model}": PREDICT,
    "GET /v2/models/{model}/ready": PREDICT,
    "POST /v2/models/{model}/infer": PREDICT,
    "GET /v2/models/{model}/versions/{version}": PREDICT,
    "GET /v2/models/{model}/versions/{version}/ready": PREDICT,
    "POST /v2/models/{model}/versions/{version}/infer": PREDICT,
    "GET /settings": ADMIN,
    "GET /audit": ADMIN,
}


@dataclass(frozen=True)
class PluginRoutes:
    """A plugin whose routes are mounted.

    Parameters
    ----------
    name : the model's.
    prefixes : what its routes stand under, old prefixes among them.
    scopes : what it declares, by method and path below the prefix: `POST /batch`.
    """

    name: str
    prefixes: tuple[str, ...] = ()
    scopes: Mapping[str, Scope] = field(default_factory=dict)

    def below_prefix(self, path: str) -> str:
        """A path without what it stands under."""
        found = [prefix for prefix in self.prefixes if path.startswith(prefix + "/")]
        return path.removeprefix(max(found, key=len)) if found else path


@dataclass(frozen=True, slots=True)
class Rule:
    """A route and what it asks, by method; `methods` is empty for one that takes any."""

    path: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    needs: Mapping[str, Need]
    context: RouteContext
    is_websocket: bool = False

    @property
    def route(self) -> BaseRoute:
        return self.context.original_route

    def need(self, method: str) -> Need:
        return self.needs[method] if method in self.needs else self.needs[_OTHER]


@dataclass(frozen=True, slots=True)
class Found:
    """The route that a request would get to; with `is_partial` it has the path, but not the method."""

    rule: Rule
    is_partial: bool
    parameters: Mapping[str, Any]

    def model(self, method: str) -> str | None:
        """The model that is used, as the route or the path names it."""
        need = self.rule.need(method)
        return self.parameters.get(need.model_parameter) if need.model_parameter else need.model


class Rules:
    """The rules of an app, in the order of its routes.

    Attributes
    ----------
    undeclared : routes of Atoll's own that stand in no list, by method and path; `admin` only may use them.
    """

    @classmethod
    def of(cls, app: Starlette) -> "Rules":
        """The rules of an app's routes as they are now, kept in its state."""
        rules = cls(app.router.routes, getattr(app.state, PLUGINS_STATE, {}))
        setattr(app.state, RULES_STATE, rules)
        return rules

    def __init__(self, routes: Iterable[BaseRoute], plugins: Mapping[int, PluginRoutes]) -> None:
        self.undeclared: list[str] = []
        self._rules = [
            rule
            for route in routes
            for context in iter_route_contexts([route])
            if (rule := self._rule(context, plugins.get(id(route)))) is not None
        ]
        # Routes by the first part of their path, those that begin with a parameter everywhere.
        heads = {_head(rule.path) for rule in self._rules}
        self._by_head = {
            head: [rule for rule in self._rules if _head(rule.path) in (head, None)]
            for head in heads
            if head is not None
        }
        self._anywhere = [rule for rule in self._rules if _head(rule.path) is None]
        # Most requests go to a path without parameters: what the search below finds for it is known beforehand.
        self._exact = {
            (rule.path, method): found
            for rule in self._rules
            if "{" not in rule.path and not rule.is_websocket
            for method in rule.methods
            if (found := self._search(rule.path, method)) is not None
        }

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def under(self, method: str, path: str) -> Need | None:
        """What the route with this template asks."""
        for rule in self._rules:
            # The document leaves out what kind of text a part is: `{path:path}`.
            if method in rule.methods and path in (rule.path, _KIND.sub("}", rule.path)):
                return rule.need(method)
        return None

    def is_public(self, path: str, method: str) -> bool:
        """Whether a request gets to a route that takes everybody."""
        found = self.find(path, method)
        return found is not None and not found.is_partial and found.rule.need(method).is_public

    def find(self, path: str, method: str, *, is_websocket: bool = False) -> Found | None:
        """The route that answers, as the framework finds it: the first with path and method, else with the path."""
        known = None if is_websocket else self._exact.get((path, method))
        return known or self._search(path, method, is_websocket=is_websocket)

    def _search(self, path: str, method: str, *, is_websocket: bool = False) -> Found | None:
        partial: Found | None = None
        for rule in self._by_head.get(path[1:].partition("/")[0], self._anywhere):
            if rule.is_websocket is not is_websocket or (match := rule.pattern.match(path)) is None:
                continue
            if is_websocket or not rule.methods or method in rule.methods:
                return Found(rule, is_partial=False, parameters=match.groupdict())
            partial = partial or Found(rule, is_partial=True, parameters=match.groupdict())
        return partial

    def _rule(self, context: RouteContext, plugin: PluginRoutes | None) -> Rule | None:
        pattern = getattr(context, "path_regex", None)
        if pattern is None or context.path is None:
            # Nothing tells which requests it takes; without a rule it is for `admin`.
            return None
        path, methods = str(context.path), frozenset(context.methods or ())
        needs = {method: self._need(method, path, plugin) for method in methods}
        needs[_OTHER] = self._need(_OTHER, path, plugin)
        is_websocket = not hasattr(context.original_route, "methods") and hasattr(context.original_route, "endpoint")
        return Rule(path, pattern, methods, needs, context, is_websocket)

    def _need(self, method: str, path: str, plugin: PluginRoutes | None) -> Need:
        if plugin is not None:
            is_training = method == "POST" and path.endswith("/train")
            usual = Scope.TRAIN if is_training else Scope.PREDICT
            declared = plugin.scopes.get(f"{method} {plugin.below_prefix(path)}", usual)
            return Need(declared, model=plugin.name)
        # The framework adds HEAD to some routes; it is answered as GET.
        own = OWN.get(f"{'GET' if method == 'HEAD' else method} {path}")
        if own is None and method != _OTHER:
            self.undeclared.append(f"{method} {path}")
        return own or ADMIN


def _head(path: str) -> str | None:
    """The first part of a path; None where a parameter is in it."""
    head = path[1:].partition("/")[0]
    return None if "{" in head or not path.startswith("/") else head
