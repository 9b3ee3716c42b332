"""What an answer of slurmrestd that is none means: the cluster is down, it refuses, or there is no such thing. Pure.

slurmrestd answers most of what goes wrong by status 500, and some of it by 200: `errors[]` tells what it was. Numbers:
slurm/slurm_errno.h of 22.05.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

# "Try again later", in several ways: nobody has refused anything.
_PASSING = frozenset({2007, 2013, 2016, 2019, 2020, 2022, 2026, 2027, 2042, 2061, 2068, 2090, 2103, 2125, 2131})
_NO_SUCH_JOB = frozenset({2017})
_ENDED_ALREADY = frozenset({2021, 2084})
_NOTHING_FOUND = 9003
# slurmrestd says the same when the controller hangs up because of the token, and when it is not there.
_TOKEN_OR_DOWN = frozenset({-1, 5005})
_SAID_CHARS = 500


class Kind(Enum):
    """What has to be done about it."""

    FINE = auto()
    UNKNOWN_JOB = auto()
    ENDED = auto()
    REFUSED = auto()
    TOKEN = auto()
    TOKEN_OR_DOWN = auto()
    VERSION = auto()
    DOWN = auto()


class Failure(NamedTuple):
    """`said` is what the server says, in one line."""

    kind: Kind
    said: str = ""


def judge(status: int, errors: Sequence[tuple[int | None, str]] | None, text: str) -> Failure:
    """What an answer means.

    Parameters
    ----------
    errors : number and words of each of `errors[]`; None if the body is no JSON object.
    text : the body, where it is no JSON.
    """
    said = "; ".join(dict.fromkeys(words for _, words in errors or ())) or " ".join(text.split())
    said = said[:_SAID_CHARS] or f"status {status} without a word"
    numbers = [code for code, _ in errors or () if code is not None]
    if status in (401, 403, 511):
        return Failure(Kind.TOKEN, said)
    if status == 404 and errors is None:
        return Failure(Kind.VERSION, said)
    if errors is None and 200 <= status < 300:
        return Failure(Kind.DOWN, f"answers what is no JSON: {said}")
    if status < 300 and (not errors or all(code == _NOTHING_FOUND for code in numbers)):
        return Failure(Kind.FINE)
    if any(code in _NO_SUCH_JOB for code in numbers):
        return Failure(Kind.UNKNOWN_JOB, said)
    if any(code in _ENDED_ALREADY for code in numbers):
        return Failure(Kind.ENDED, said)
    if any(code in _PASSING for code in numbers):
        return Failure(Kind.DOWN, said)
    if any(2000 <= code < 3000 or 9000 <= code < 10_000 for code in numbers):
        return Failure(Kind.REFUSED, said)
    if 1007 in numbers:
        return Failure(Kind.TOKEN, said)
    if any(code in _TOKEN_OR_DOWN for code in numbers):
        return Failure(Kind.TOKEN_OR_DOWN, said)
    # Numbers below 2000 and from 4000 on are of communication; 429, 502, 503 and 504 come from what stands before it.
    return Failure(Kind.REFUSED if status in (400, 413, 415, 422) else Kind.DOWN, said)


def ends_at_s(token: str) -> float | None:
    """When a token ends, in seconds since 1970, as it says itself; None where it does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    found = told.get("exp") if isinstance(told, dict) else None
    return float(found) if isinstance(found, int | float) else None


def has_ended(token: str, now: datetime) -> bool:
    """Whether a token has ended by its own word."""
    ends_s = ends_at_s(token)
    return ends_s is not None and ends_s <= now.timestamp()
