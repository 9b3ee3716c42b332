"""The keys of an issuer (RFC 7517), and what each may be used for.

The library is imported with the first key set: it brings OpenSSL, a tenth of a second.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from common.security.tokens.form import ALGORITHMS, Unverified

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWS

    PublicKey = RSAPublicKey | EllipticCurvePublicKey

MAX_KEYS = 200
# What NIST SP 800-131A asks for; and where checking a signature costs more than a caller should be able to cause.
_RSA_BITS = range(2048, 8193)
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = frozenset(name for name in ALGORITHMS if not name.startswith("ES"))
_PRIVATE = ("d", "p", "q", "k")


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A public key.

    Parameters
    ----------
    source : the JSON that it was read from; keys of the same source are the same.
    issuer : for which it is, where it says so.
    """

    kid: str | None
    algorithms: frozenset[str]
    public: "PublicKey"
    source: str
    issuer: str | None

    def has_signed(self, token: Unverified) -> bool:
        """Whether the token was signed with this key, by an algorithm that the key is for."""
        from jwt.exceptions import PyJWTError

        if token.algorithm not in self.algorithms:
            return False
        try:
            # The algorithms are the key's, never what the token says alone.
            found = _library().decode_complete(token.text, self.public, algorithms=sorted(self.algorithms))
        except (PyJWTError, ValueError, TypeError):
            return False
        # What was read before is what was signed.
        return bool(found["payload"] == token.payload)


@dataclass(frozen=True, slots=True)
class KeySet:
    """What an issuer's keys are now.

    Parameters
    ----------
    usable : those that may sign tokens.
    unusable : why not, for the others that have a name.
    """

    usable: tuple[Key, ...]
    unusable: Mapping[str, str]

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of that name; without a name the only one that can be meant."""
        if kid is None:
            return self.usable[0] if len(self.usable) == 1 else None
        named = [key for key in self.usable if key.kid == kid]
        # Different keys may share a name if no algorithm takes both.
        return next((key for key in named if algorithm in key.algorithms), named[0] if named else None)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(key.source for key in self.usable)


def read_keys(document: object) -> KeySet:
    """Read a JWK set. Keys that cannot be used are left out, as an issuer may have some for other purposes.

    Raises
    ------
    ValueError
        It is none, or no key in it can be used.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("is no JWK set: it has no list `keys`")
    if len(entries) > MAX_KEYS:
        raise ValueError(f"has more than {MAX_KEYS} keys")
    usable: list[Key] = []
    unusable: dict[str, str] = {}
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        try:
            usable.append(_read(entry, json.dumps(entry, sort_keys=True)))
        except _Unusable as exc:
            if isinstance(kid, str):
                unusable[kid] = str(exc)
    if not usable:
        raise ValueError("has no key that may sign tokens")
    return KeySet(tuple(usable), unusable)


@lru_cache(maxsize=1)
def _library() -> "PyJWS":
    from jwt import PyJWS

    return PyJWS(algorithms=sorted(ALGORITHMS))


class _Unusable(Exception):
    """Why a key is not used, to stand behind `the token's key`."""


def _read(entry: Any, source: str) -> Key:
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm
    from jwt.exceptions import PyJWTError

    if not isinstance(entry, dict):
        raise _Unusable("is no key")
    kid, issuer = entry.get("kid"), entry.get("issuer")
    if kid is not None and not isinstance(kid, str):
        raise _Unusable("has no usable name")
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _Unusable("is not for signatures")
    if any(name in entry for name in _PRIVATE):
        # A secret that was published is known to everybody.
        raise _Unusable("is not a public one")
    algorithms = _algorithms(entry)
    try:
        public: Any = (RSAAlgorithm if entry["kty"] == "RSA" else ECAlgorithm).from_jwk(entry)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        raise _Unusable("cannot be read") from None
    if entry["kty"] == "RSA" and public.key_size not in _RSA_BITS:
        raise _Unusable("is too weak" if public.key_size < _RSA_BITS.start else "is too large")
    return Key(kid, algorithms, public, source, issuer if isinstance(issuer, str) else None)


def _algorithms(entry: Mapping[str, Any]) -> frozenset[str]:
    """What a key may be used with: its own algorithm, if it names one and its type allows that."""
    kind, curve = entry.get("kty"), entry.get("crv")
    if kind == "RSA":
        able = _RSA
    elif kind == "EC" and isinstance(curve, str) and curve in _CURVES:
        able = frozenset({_CURVES[curve]})
    else:
        raise _Unusable("is of a type that is not taken")
    own = entry.get("alg")
    if own is None:
        return able
    if not isinstance(own, str) or own not in able:
        raise _Unusable("is not for an algorithm that is taken")
    return frozenset({own})
