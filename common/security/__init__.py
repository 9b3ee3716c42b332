"""Who calls, and what they may do: keys, tokens, scopes, limits.

A request carries a `Principal` once it is authenticated; routes ask for a `Scope`.
"""

from common.security.principal import ANONYMOUS, Principal
from common.security.scopes import ALL_SCOPES, Scope

__all__ = ["ALL_SCOPES", "ANONYMOUS", "Principal", "Scope"]
