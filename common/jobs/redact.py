"""Texts that end in a job's record are shown to callers: secrets go out of them first."""

import re
from collections.abc import Sequence

from common.telemetry.masking import HIDDEN, mask

_TEXT_CHARS = 2000
# Also where prose names it, `secret: x`: a record is short, and may be shown to others than its caller.
_NAMED = re.compile(
    r"((?:account|access|api|shared|secret)[-_ ]?(?:access[-_ ]?)?(?:key|signature)"
    r"|password|passwd|pwd|secret|token|sig)"
    r"([\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+",
    re.IGNORECASE,
)


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without the `secrets` and those of this process, without what looks like one; at most 2,000 characters."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", mask(text))
    # PostgreSQL's texts hold no NUL, and UTF-8 no lone surrogates.
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"
