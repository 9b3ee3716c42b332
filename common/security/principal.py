"""The caller of a request. Pure."""

from dataclasses import dataclass
from typing import Literal

from common.security.scopes import ALL_SCOPES, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as far as it is known, and what they may do.

    Parameters
    ----------
    id : stable and unique: `key:<id of the key>`, `oidc:<short form of the issuer>:<its subject>`; empty for a caller
        without a key. Jobs are owned by it.
    kind : how the caller was identified.
    scopes : what the caller may do; empty for nothing.
    models : names of the models that the caller may use; None for all.
    name : for people and the audit log: a key's name, a token's user.
    """

    id: str
    kind: Literal["anonymous", "key", "token", "system"]
    scopes: frozenset[Scope]
    models: frozenset[str] | None = None
    name: str = ""

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models

    def sees(self, owner: str) -> bool:
        """Whether the caller sees what `owner` asked for: everybody their own, `admin` all."""
        return Scope.ADMIN in self.scopes or owner == self.id


ANONYMOUS = Principal(id="", kind="anonymous", scopes=frozenset())
# Atoll itself: the conformance kit, schedules.
SYSTEM = Principal(id="system", kind="system", scopes=ALL_SCOPES)
