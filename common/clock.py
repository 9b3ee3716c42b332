"""Time and identity, injected so that tests can move the first and nobody has to guess the second.

Wall time (`now`) is for what people read and other processes compare; it may jump. Monotonic time (`monotonic_s`) is
for how long something took; it never does.
"""

import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Crockford's alphabet in lower case: sorts as its values do, and has no letters that are read as digits.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARS = 11
_RANDOM_CHARS = 16
_SAME_MOMENT_US = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_last_us = 0
_id_lock = threading.Lock()


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime:
        """The wall time, aware, in UTC."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; only differences mean anything."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that stands still until told otherwise, for tests.

    `advance` is time that passes; `jump` is a wall clock that is set, as NTP or a person would, while none passes.
    """

    def __init__(self, start: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic_s = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic_s(self) -> float:
        with self._lock:
            return self._monotonic_s

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic_s += seconds

    def jump(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


def new_id(clock: Clock | None = None) -> str:
    """A new identifier: 27 characters of `[0-9a-z]`, sorting by the microsecond it was made in.

    80 random bits follow the time, so ids cannot be guessed and two machines never make the same one. Those that one
    process makes in the same moment sort in the order in which they were made.
    """
    global _last_us
    now_us = int((clock or SystemClock()).now().timestamp() * 1_000_000)
    with _id_lock:
        # Only just behind the last one: a clock that was set back is followed.
        if _last_us - _SAME_MOMENT_US <= now_us <= _last_us:
            now_us = _last_us + 1
        _last_us = now_us
    return _base32(now_us, _TIME_CHARS) + _base32(secrets.randbits(80), _RANDOM_CHARS)


def id_time(made: str) -> datetime:
    """The moment in which an identifier of `new_id` was made.

    Raises
    ------
    ValueError
        It is none.
    """
    value = 0
    for character in made[:_TIME_CHARS]:
        value = value * 32 + _ALPHABET.index(character)
    return _EPOCH + value * _MICROSECOND


def first_id(moment: datetime) -> str:
    """What sorts before all identifiers of `new_id` made at `moment` or later, and after all made earlier."""
    return _base32(min(max(0, (moment - _EPOCH) // _MICROSECOND), 32**_TIME_CHARS - 1), _TIME_CHARS)


def _base32(value: int, chars: int) -> str:
    text = []
    for _ in range(chars):
        value, digit = divmod(value, 32)
        text.append(_ALPHABET[digit])
    return "".join(reversed(text))
