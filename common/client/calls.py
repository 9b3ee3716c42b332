"""What flows ask of a client, and what they are told. Plain values; nothing here talks or waits."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, TypeVar

import httpx
import orjson


class Repeat(Enum):
    """When a call whose answer got lost may be made again."""

    ALWAYS = "always"
    # It may still be computing, and would compute twice.
    UNLESS_SLOW = "unless slow"
    # It may have been done, and would be refused the second time.
    UNLESS_SENT = "unless sent"


@dataclass(frozen=True)
class Call:
    """A request to make. A flow is told an `Answer` or `Lost`."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeat: Repeat = Repeat.ALWAYS


@dataclass(frozen=True)
class Sleep:
    """Time to let pass."""

    seconds: float


@dataclass(frozen=True)
class Emit:
    """Items for whoever iterates."""

    items: Sequence[Any]


T = TypeVar("T")
# Yields what is to be done, is sent what came of it, and returns the outcome.
Flow = Generator[Call | Sleep | Emit, Any, T]


@dataclass(frozen=True)
class Answer:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, response: httpx.Response) -> "Answer":
        return cls(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        return self.content_type == "application/json" or self.content_type.endswith("+json")

    @property
    def retry_after_s(self) -> float | None:
        """`Retry-After` in seconds, given so or as a date; None without one that can be read."""
        given = self.headers.get("retry-after", "").strip()
        if given.isascii() and given.isdecimal():
            return float(given)
        try:
            at = parsedate_to_datetime(given)
        except ValueError:
            return None
        now = datetime.now(UTC)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())

    @property
    def value(self) -> Any:
        """The body: JSON decoded, text as text, anything else as bytes."""
        if not self.body:
            return None
        if self.is_json:
            return orjson.loads(self.body)
        if self.content_type.startswith("text/"):
            return self.body.decode("utf-8", "replace")
        return self.body


class Loss(Enum):
    """How much of a call may have arrived."""

    NOTHING_SENT = "nothing sent"
    BROKEN = "broken"
    SLOW = "slow"


@dataclass(frozen=True)
class Lost:
    """A call to which no answer came."""

    loss: Loss
    reason: str

    @classmethod
    def of(cls, exc: httpx.RequestError) -> "Lost":
        reason = str(exc) or type(exc).__name__
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
            return cls(Loss.NOTHING_SENT, reason)
        if isinstance(exc, httpx.TimeoutException):
            return cls(Loss.SLOW, "it took too long (timeout_s)")
        return cls(Loss.BROKEN, reason)
