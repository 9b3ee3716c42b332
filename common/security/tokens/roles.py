"""What the bearer of a token may do, and is called. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from common.errors import Unauthorized
from common.security.principal import Principal
from common.security.scopes import Scope, parse_scopes
from common.security.tokens.issuers import Issuer, tag

Claims = Mapping[str, Any]

DEFAULT_ROLES: dict[str, frozenset[Scope]] = {
    **{f"Atoll.{scope.value.capitalize()}": frozenset({scope}) for scope in Scope},
    **{scope.value: frozenset({scope}) for scope in Scope},
}
# Entra ID's application roles, its delegated permissions, and what OAuth 2.0 calls the latter.
DEFAULT_CLAIMS = ("roles", "scp", "scope")

# `owner` of a job is 256 characters; OpenID Connect allows a subject 255, and nobody uses them.
_SUBJECT_CHARS = 200
_NAME_CHARS = 100
# The first one that there is. A program has no name, but an application.
_NAMES = ("preferred_username", "upn", "email", "name", "app_displayname", "azp", "appid", "client_id")


def parse_roles(text: str) -> dict[str, frozenset[Scope]]:
    """Read `Atoll.Predict=predict,Researchers=predict+train`. Raises ValueError that says what is wrong."""
    found: dict[str, frozenset[Scope]] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        role, equals, scopes = (part.strip() for part in entry.rpartition("="))
        if not role or not equals:
            raise ValueError(f"{entry[:40]!r} is not Role=scope, e.g. Atoll.Predict=predict")
        found[role] = found.get(role, frozenset()) | parse_scopes(name.strip() for name in scopes.split("+"))
    return found


def principal(
    claims: Claims, issuer: Issuer, roles: Mapping[str, frozenset[Scope]], names: tuple[str, ...]
) -> Principal:
    """Whom these checked claims are about.

    Scopes are those of all roles together. Where no role means anything here there is none: known, and may nothing.

    Raises
    ------
    Unauthorized
        The claims name nobody.
    """
    known_as = issuer.recognise(claims)
    assert known_as is not None  # noqa: S101 - checked before the signature was
    scopes = frozenset(scope for role in given_roles(claims, names) for scope in roles.get(role, ()))
    return Principal(
        id=f"oidc:{tag(known_as)}:{_subject(claims, issuer)}", kind="token", scopes=scopes, name=_name(claims)
    )


def given_roles(claims: Claims, names: tuple[str, ...]) -> Iterator[str]:
    """Roles that stand in any of the claims: a list of them, or a text with blanks between."""
    for name in names:
        value = _claim(claims, name)
        if isinstance(value, str):
            yield from value.split()
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))


def _claim(claims: Claims, name: str) -> Any:
    """A claim by its name, which may have dots in it, or by the way that leads to it."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _subject(claims: Claims, issuer: Issuer) -> str:
    # Entra ID makes a `sub` for each application; `oid` is the same user or program whatever asks for the token.
    for name in ("oid", "sub") if issuer.is_entra else ("sub",):
        value = claims.get(name)
        if isinstance(value, str) and 0 < len(value) <= _SUBJECT_CHARS and value.isprintable():
            return value
        if value is not None:
            raise Unauthorized(f"the token's `{name}` is no plain text of at most {_SUBJECT_CHARS} characters")
    raise Unauthorized("the token names nobody: it has no `sub`")


def _name(claims: Claims) -> str:
    for name in _NAMES:
        value = claims.get(name)
        if isinstance(value, str) and value.strip():
            # A name stands in logs, where a line break would begin a line of its own.
            return "".join(character for character in value if character.isprintable())[:_NAME_CHARS].strip()
    return ""
