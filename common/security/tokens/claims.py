"""Whether a token is good now, and here. Pure.

The library that checks signatures could check times and audience too, but by the machine's clock, which tests cannot
move, and in words that are not for callers. Sources: RFC 7519, section 4.1; RFC 9068, section 4.
"""

from collections.abc import Collection, Mapping
from typing import Any

from common.errors import Unauthorized

# The year 9999: beyond it nothing can be told from a mistake.
_LAST_S = 253_402_300_799
# Keycloak and others say what a token is within it; ID and logout tokens have claims that no other has.
_ACCESS_KINDS = frozenset({"bearer", "jwt", "at+jwt"})
_OF_OTHERS = ("at_hash", "c_hash", "events")


def check(claims: Mapping[str, Any], *, audiences: Collection[str], now_s: float, leeway_s: float) -> float:
    """Check times, audience and kind of signed claims; returns the moment from which they are no good, in Unix time.

    Raises
    ------
    Unauthorized
        The detail says which claim is wrong, and shows nothing of it.
    """
    expires_s = _moment(claims, "exp")
    if expires_s is None:
        raise Unauthorized("the token never expires (it has no `exp`); tokens that do are taken")
    ends_s = expires_s + leeway_s
    if now_s >= ends_s:
        raise Unauthorized("the token has expired; get a new one from its issuer")
    for name in ("nbf", "iat"):
        begins_s = _moment(claims, name)
        if begins_s is not None and now_s + leeway_s < begins_s:
            raise Unauthorized(f"the token is not valid yet (`{name}` is in the future)")
    if not _is_meant(claims.get("aud"), audiences):
        raise Unauthorized("the token is meant for another audience (`aud`); ask its issuer for one for this API")
    kind = claims.get("typ", "Bearer")
    if not isinstance(kind, str) or kind.lower() not in _ACCESS_KINDS or any(name in claims for name in _OF_OTHERS):
        raise Unauthorized("the token is no access token; send that, not an ID token, a refresh or a logout token")
    return ends_s


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """A claim that is a time. A number, as texts and booleans that pass for numbers are mistakes."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_S:
        raise Unauthorized(f"the token's `{name}` is no time in seconds")
    return float(value)


def _is_meant(given: object, audiences: Collection[str]) -> bool:
    if isinstance(given, str):
        return given in audiences
    return isinstance(given, list) and any(isinstance(item, str) and item in audiences for item in given)
