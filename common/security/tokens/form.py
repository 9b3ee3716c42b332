"""The form of a token, before anything in it is believed. Pure.

Sources: RFC 7515 (JWS, compact serialisation), RFC 7519 (JWT), RFC 8725 (best current practices).
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from common.errors import Unauthorized

# Entra ID's grow with the groups of a user, to some 8 KiB; servers and proxies take headers of 8 to 64 KiB.
TOKEN_CHARS = 16_384
_KID_CHARS = 512
# Asymmetric ones only: with `none` nobody signs, with HS256 whoever knows the public key could.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself.

    Parameters
    ----------
    text : the token.
    algorithm : one of `ALGORITHMS`.
    kid : name of the key that is said to have signed it; only ever looked up among the issuer's.
    payload : as it was signed.
    claims : the same, read.
    """

    text: str
    algorithm: str
    kid: str | None
    payload: bytes
    claims: dict[str, Any]


def is_token(credential: str) -> bool:
    """Whether a credential looks like a token: three parts, or the beginning that those in JSON have."""
    return credential.startswith("eyJ") or credential.count(".") == 2


def read(text: str) -> Unverified:
    """Take a token apart.

    Where else its header says that a key might be (`jku`, `x5u`, `x5c`, `jwk`) is not even read.

    Raises
    ------
    Unauthorized
        It is none, or of a kind that is never taken; the detail says why.
    """
    if len(text) > TOKEN_CHARS:
        raise Unauthorized(
            f"the token is longer than {TOKEN_CHARS} characters; "
            "have its issuer leave out what is not needed, e.g. groups"
        )
    if not _COMPACT.fullmatch(text):
        if text.startswith("eyJ") and text.count(".") == 4:
            raise Unauthorized("the token is encrypted; send one that is signed only")
        raise Unauthorized("the token is no JWT: three parts in base64url, with dots between")
    parts = text.split(".")
    header = _object(_decode(parts[0], "header"), "header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Unauthorized(f"the token's algorithm is not taken; {', '.join(sorted(ALGORITHMS))} are")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unauthorized("the token's header says that it is no access token (`typ`)")
    if "crit" in header or header.get("b64", True) is not True:
        raise Unauthorized("the token's header demands an extension that is not known here (`crit`)")
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _KID_CHARS):
        raise Unauthorized(f"the token's key id (`kid`) is no text of at most {_KID_CHARS} characters")
    payload = _decode(parts[1], "payload")
    return Unverified(text, algorithm, kid, payload, _object(payload, "payload"))


def _decode(part: str, name: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Unauthorized(f"the token's {name} is not base64url") from None


def _object(raw: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except _Twice:
        raise Unauthorized(f"the token's {name} says something twice") from None
    # Deeper than any reader goes, and integers of thousands of digits, among others.
    except (ValueError, RecursionError):
        raise Unauthorized(f"the token's {name} is not JSON") from None
    if not isinstance(found, dict):
        raise Unauthorized(f"the token's {name} is no JSON object")
    return found


class _Twice(ValueError):
    """A name stands twice in one object: which of the two counts differs between readers."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
