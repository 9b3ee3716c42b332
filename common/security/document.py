"""What the OpenAPI document says of keys: how to send one, and what each operation asks for."""

from typing import Any

from common.http.openapi import problem_answer
from common.security.principal import Principal
from common.security.rules import Need, Rules
from common.security.scopes import Scope

SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`atl_…`), or a token of the identity provider: `Authorization: Bearer …`.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in a header of its own."},
}
_UNKNOWN = problem_answer("Who calls is not known: no key, or one that is good no longer.")
_LACKING = problem_answer("The key has not the scope, or is not for this model.")
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def tell_scopes(document: dict[str, Any], rules: Rules, anonymous: frozenset[Scope]) -> None:
    """Write into the document what each operation asks for.

    Parameters
    ----------
    anonymous : what callers without a key may do; for that much, sending none is one of the ways that it lists.
    """
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    nobody = Principal(id="", kind="anonymous", scopes=anonymous)
    for path, item in document["paths"].items():
        for method in _METHODS & item.keys():
            need = rules.under(method.upper(), path)
            if need is not None:
                _tell(item[method], need, nobody)


def _tell(operation: dict[str, Any], need: Need, nobody: Principal) -> None:
    if need.is_public:
        operation["security"] = []
        return
    scopes = [str(need.scope)] if need.scope else []
    without_key: list[dict[str, list[str]]] = [{}] if need.met_by(nobody) else []
    operation["security"] = [*without_key, *({scheme: scopes} for scheme in SCHEMES)]
    told = f"Asks for the scope `{need.scope}`." if need.scope else "Asks for any scope."
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), told)))
    operation["responses"].setdefault("401", _UNKNOWN)
    operation["responses"].setdefault("403", _LACKING)
