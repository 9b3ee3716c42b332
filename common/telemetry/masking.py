"""Taking secrets out of texts: those that this process knows, and whatever has the form of one.

Every log line, error answer, job record and audit row passes through here as text, so what it costs counts: most
texts hold nothing, which a few searches for plain words tell within a microsecond or two.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from common.settings.secrets import add_listener, secret_values

HIDDEN = "***"

_URL_PASSWORD = re.compile(r"(?<=://)([^\s/:@\"'<>]*):([^\s/@\"'<>]+)@")
# Of keys the id is for people to see; what follows it is the secret.
_KEY = re.compile(r"\b(atl_[0-9a-z]{4,32})_[A-Za-z0-9_-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?")
_WEBHOOK = re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}")
_BEARER = re.compile(r"\b(bearer|basic)(\s+)[\w.+/=~-]{8,}", re.IGNORECASE)
# `name=value`, as in connection strings, queries and messages; not `name: value`, which prose has too.
_ASSIGNED = re.compile(
    r"((?:(?:account|access|api|shared|secret)[-_ ]?(?:access[-_ ]?)?(?:key|signature)"
    r"|\b(?:password|passwd|pwd|secret|client_secret|access_token|token|sig))"
    r"\\?[\"']?\s?=\s?)(\\?[\"']?)([^\s\"',;&\\)]+)",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """`text` without the secrets of this process, and without what has the form of one.

    A text in JSON stays JSON.
    """
    for secret in _known():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return mask_forms(text)


def mask_forms(text: str) -> str:
    """`text` without what has the form of a secret: keys, tokens, passwords in URLs and in `password=…`."""
    # Written out: a loop over a table takes three times as long, for every line of the log.
    if "atl_" in text:
        text = _KEY.sub(rf"\1_{HIDDEN}", text)
    if "eyJ" in text:
        text = _JWT.sub(HIDDEN, text)
    if "whsec_" in text:
        text = _WEBHOOK.sub(HIDDEN, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    if "=" in text:
        text = _ASSIGNED.sub(rf"\1\2{HIDDEN}", text)
    lower = text.lower()
    if "bearer" in lower or "basic" in lower:
        text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    return text


def spellings(secrets: Iterable[str]) -> Sequence[str]:
    """Each secret as it is, and as it stands within JSON or a `repr`; the longest first."""
    found = set[str]()
    for secret in secrets:
        found |= {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return tuple(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=1)
def _known() -> Sequence[str]:
    # Once a process: the environment does not change while it runs.
    return spellings(secret_values())


add_listener(_known.cache_clear)
