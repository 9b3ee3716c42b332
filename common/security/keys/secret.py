"""The form of API keys: how one is made, what of it is stored, and how one is told from anything else. Pure.

A key is `atl_<id>_<secret>`: 12 characters that name it, and 32 random bytes, url-safe base64, that prove it. Stored is
the SHA-256 of the whole. A slow hash (bcrypt, Argon2) is for passwords, which can be guessed; nobody guesses 256 random
bits, however fast each guess is, and a slow hash would cost every request what a fast one does not.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

PREFIX = "atl_"
ID_CHARS = 12
_SECRET_BYTES = 32
# Crockford's base32 in lower case: no two characters look alike when one is read out.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = rf"[{_ALPHABET}]{{{ID_CHARS}}}"
_WHOLE = re.compile(rf"{PREFIX}({_ID})_[A-Za-z0-9_-]{{43}}")
# What a person has at hand: the id, the prefix that lists show, or the key itself.
_NAMED = re.compile(rf"(?:{PREFIX})?({_ID})(?:_[A-Za-z0-9_-]{{43}})?")


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `text` is what its owner gets, once; only `id` and `digest` are kept."""

    id: str
    text: str = field(repr=False)
    digest: str


def new_key() -> NewKey:
    """A key that nobody had before: 60 random bits name it, 256 prove it."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARS))
    text = f"{PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(key_id, text, digest(text))


def digest(credential: str) -> str:
    """SHA-256 of a whole key, in hexadecimal; of anything else too."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()


def id_in(credential: str) -> str | None:
    """The id within a whole key; None if it has not the form of one."""
    found = _WHOLE.fullmatch(credential)
    return found[1] if found else None


def id_named(text: str) -> str | None:
    """The id that a person means by an id, a prefix `atl_<id>` or a whole key; None if it is none of them."""
    found = _NAMED.fullmatch(text.strip())
    return found[1] if found else None


def shown(key_id: str) -> str:
    """What of a key may be shown: `atl_<id>`."""
    return PREFIX + key_id
