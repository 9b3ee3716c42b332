"""Texts that end in a job's record are shown to callers: secrets go out of them first."""

import re
from collections.abc import Sequence

HIDDEN = "***"
_TEXT_CHARS = 2000
_URL_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):([^\s/@]+)@")
_NAMED = re.compile(
    r"((?:account|access|api|shared|secret)[-_ ]?(?:access[-_ ]?)?(?:key|signature)"
    r"|password|passwd|pwd|secret|token|sig)"
    r"([\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.+/=~-]{8,}", re.IGNORECASE)


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without the `secrets`, without what looks like one, and at most 2,000 characters of it."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    # PostgreSQL's texts hold no NUL, and UTF-8 no lone surrogates.
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"
