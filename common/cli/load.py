"""A small closed-loop load: so many users, each of whom asks again as soon as it has its answer.

The connections are our own (asyncio and the parser that uvicorn uses), because a general client takes a millisecond of
this machine's CPU a request, which with a few users would be most of what is measured.
"""

import asyncio
import contextlib
import math
import ssl
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httptools
import httpx

# After an error, so that a server that refuses is not asked without a break.
_PAUSE_S = 0.1
_READ_BYTES = 1 << 16
_TICK_S = 0.2


@dataclass(frozen=True)
class Target:
    """What is asked, again and again.

    Attributes
    ----------
    request : the bytes of a request, which are the same for all.
    timeout_s : the longest to wait for a connection, and for an answer.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    request: bytes
    timeout_s: float

    @classmethod
    def of(
        cls, url: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> "Target":
        """The target at `path` below the address `url`.

        Raises
        ------
        ValueError
            The path cannot stand in an address.
        """
        try:
            place = httpx.URL(f"{url}{path}")
        except httpx.InvalidURL as exc:
            raise ValueError(f"{path!r} cannot be asked: {exc}") from None
        is_tls = place.scheme == "https"
        sent = {"Host": place.netloc.decode("ascii"), "Accept": "*/*", **headers}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {place.raw_path.decode('ascii')} HTTP/1.1", *(f"{name}: {sent[name]}" for name in sent)]
        head = "\r\n".join(lines).encode("ascii")
        return cls(
            place.host,
            place.port or (443 if is_tls else 80),
            # The authorities that the client trusts.
            httpx.create_ssl_context() if is_tls else None,
            head + b"\r\n\r\n" + (body or b""),
            timeout_s,
        )


@dataclass
class Tally:
    """What came of it.

    Attributes
    ----------
    latencies_s : of the answers with a status below 400, in the order in which they came.
    statuses : answers by status.
    failures : what was no answer, by its kind: `timeout`, `refused`, `broken`.
    """

    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    received_bytes: int = 0
    cache_hits: int = 0
    elapsed_s: float = 0.0

    @property
    def requests(self) -> int:
        return self.statuses.total() + self.failures.total()

    @property
    def errors(self) -> int:
        return self.requests - len(self.latencies_s)

    def report(self) -> dict[str, Any]:
        """As JSON: rates a second, latencies in milliseconds, errors by status or kind."""
        found = sorted(self.latencies_s)
        wrong = {str(status): number for status, number in sorted(self.statuses.items()) if status >= 400}
        return {
            "requests": self.requests,
            "elapsed_s": round(self.elapsed_s, 3),
            "rate_per_s": round(len(found) / self.elapsed_s, 1) if self.elapsed_s else 0.0,
            "latency_ms": None
            if not found
            else {
                "mean": _ms(sum(found) / len(found)),
                **{f"p{part}": _ms(percentile(found, part)) for part in (50, 95, 99)},
                "max": _ms(found[-1]),
            },
            "errors": wrong | dict(self.failures),
            "cache_hits": self.cache_hits,
            "received_bytes": self.received_bytes,
        }


def percentile(ordered: "list[float]", part: float) -> float:
    """The smallest of `ordered` (not empty) that `part` percent of them do not exceed: the nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * part / 100) - 1)]


async def put(target: Target, tally: Tally, users: int, seconds: float, tick: Callable[[float], object]) -> None:
    """Have `users` ask for `seconds`, and count into `tally`; what is under way then is waited for.

    Parameters
    ----------
    tick : called a few times a second with the seconds that have passed.
    """
    began_s = time.perf_counter()
    asking = [asyncio.create_task(_user(target, tally, began_s + seconds)) for _ in range(users)]
    try:
        while not all(one.done() for one in asking):
            await asyncio.wait(asking, timeout=_TICK_S)
            tally.elapsed_s = time.perf_counter() - began_s
            tick(min(seconds, tally.elapsed_s))
        await asyncio.gather(*asking)
    finally:
        tally.elapsed_s = time.perf_counter() - began_s
        for one in asking:
            one.cancel()


async def _user(target: Target, tally: Tally, until_s: float) -> None:
    line: _Line | None = None
    while time.perf_counter() < until_s:
        try:
            async with asyncio.timeout(target.timeout_s):
                if line is None:
                    line = await _Line.open(target)
                sent_s = time.perf_counter()
                answer = await line.ask(target.request)
        except (OSError, asyncio.IncompleteReadError, httptools.HttpParserError) as exc:
            tally.failures[_kind(exc)] += 1
            _close(line)
            line = None
            await asyncio.sleep(_PAUSE_S)
            continue
        tally.statuses[answer.status] += 1
        tally.received_bytes += answer.size_bytes
        tally.cache_hits += answer.is_hit
        if answer.status < 400:
            tally.latencies_s.append(time.perf_counter() - sent_s)
        if not answer.keeps_alive:
            _close(line)
            line = None
        if answer.status >= 400:
            await asyncio.sleep(_PAUSE_S)
    _close(line)


class _Answer:
    """Told by the parser what comes, and asks it for the rest while it knows."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.size_bytes = 0
        self.is_hit = False
        self.keeps_alive = False
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-cache":
            self.is_hit = value == b"hit"

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.status = self.parser.get_status_code()
        self.keeps_alive = self.parser.should_keep_alive()


class _Line:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, target: Target) -> "_Line":
        return cls(*await asyncio.open_connection(target.host, target.port, ssl=target.tls))

    async def ask(self, request: bytes) -> _Answer:
        self._writer.write(request)
        answer = _Answer()
        while not answer.is_complete:
            part = await self._reader.read(_READ_BYTES)
            if not part:
                raise asyncio.IncompleteReadError(b"", None)
            answer.size_bytes += len(part)
            answer.parser.feed_data(part)
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()


def _close(line: _Line | None) -> None:
    if line is not None:
        line.close()


def _kind(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return "timeout"
    return "refused" if isinstance(exc, ConnectionRefusedError) else "broken"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
