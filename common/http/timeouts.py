"""`X-Timeout-Ms`: how long an answer is of use to the caller."""

from common.errors import Invalid

_MAX_MS = 7 * 24 * 3600 * 1000


def timeout_s(given: str | None) -> float | None:
    """The header's value in seconds; None where it was not sent.

    Raises
    ------
    Invalid
        It is no whole number of milliseconds, or longer than a week.
    """
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= 12 and 0 < int(given) <= _MAX_MS):
        raise Invalid.field("X-Timeout-Ms", f"is a whole number of milliseconds, 1 to {_MAX_MS}", given, where="header")
    return int(given) / 1000
