"""Times and sizes as people write them. Pure."""

import re
from typing import TypeGuard

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PARTS = re.compile(r"(\d{1,9})\s*(d|h|m|s)[a-z]*\s*", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d{1,4})-)?(\d{1,5}):(\d{1,2})(?::(\d{1,2}))?")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIMES = 'a time such as "1:30:00" (hours), "2-12:00:00" (days), "90m", "1h30m", or seconds'
_SIZES = 'a size such as "2G", "512M" (1024 to the K), or bytes'


def _is_whole(given: object) -> TypeGuard[int | float]:
    is_int = isinstance(given, int) and not isinstance(given, bool)
    return is_int or (isinstance(given, float) and given.is_integer())


def time_limit_s(given: object) -> int:
    """Seconds of `"1:30:00"` (h:mm:ss), `"1-12:00:00"` (d-h:mm:ss), `"90m"`, `"1h30m"`, or a number of seconds.

    `"1:30"` is refused: it is minutes to some programs and hours to others.

    Raises
    ------
    ValueError
        Says what may be sent.
    """
    if _is_whole(given):
        return int(given)
    if isinstance(given, str):
        text = given.strip()
        if re.fullmatch(r"\d{1,9}", text):
            return int(text)
        if (clock := _CLOCK.fullmatch(text)) and (clock[4] is not None or clock[1] is not None):
            days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            if minutes < 60 and seconds < 60:
                return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        if text and re.fullmatch(rf"(?:{_PARTS.pattern})+", text, re.IGNORECASE):
            return sum(int(part[1]) * _UNITS_S[part[2].lower()] for part in _PARTS.finditer(text))
    raise ValueError(f"is {_TIMES}")


def memory_bytes(given: object) -> int:
    """Bytes of `"2G"`, `"512M"`, `"1.5GiB"`, or a number of bytes. A K is 1024, as it is to clusters.

    Raises
    ------
    ValueError
        Says what may be sent.
    """
    if _is_whole(given):
        return int(given)
    if isinstance(given, str) and (found := _SIZE.fullmatch(given.strip())):
        return int(float(found[1]) * 1024 ** _POWERS[found[2].lower()])
    raise ValueError(f"is {_SIZES}")
