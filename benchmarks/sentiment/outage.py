"""Redis killed, restarted, frozen, full, and with another password, under load: what the users see of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

import redis as redis_py

from benchmarks.client import one_for_each
from benchmarks.report import NotMeasured, Reach, percentile
from benchmarks.sentiment import mixture
from benchmarks.sentiment.bench import Bench, Table
from benchmarks.sentiment.steady import Running, Seconds, Seen
from benchmarks.svg import svg, text
from tests.support.backends import Missing
from tests.support.redis_server import RedisServer

USERS, RATE, WORKERS = 10, 200.0, 2
BEFORE_S, DURING_S, AFTER_S = 4.0, 6.0, 8.0
# New texts are looked for in Redis, computed, and kept there; the others are known to the process.
NEW, NEW_TOKENS = 0.1, 12
_PASSWORD = "another one"  # noqa: S105 - of a server of this benchmark
_LIMIT_S = 0.05
_STRETCH_S = 0.25
_HEAD = ("Redis is", "", "requests", "p50", "p99", "slowest", "5xx", "no answer", "Redis is used again after")


@dataclass(frozen=True)
class Fault:
    """What is done to Redis, and undone."""

    name: str
    begin: Callable[[RedisServer], None]
    end: Callable[[RedisServer], None]


def _client(server: RedisServer) -> "redis_py.Redis":
    return redis_py.Redis(port=server.port)


def _restart(server: RedisServer) -> None:
    server.stop()
    server.start()


def _fill(server: RedisServer) -> None:
    with _client(server) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)


def _empty(server: RedisServer) -> None:
    with _client(server) as client:
        client.config_set("maxmemory", 0)


def _lock(server: RedisServer) -> None:
    with _client(server) as client:
        client.config_set("requirepass", _PASSWORD)
        # Those who are in stay in until their connections end.
        client.client_kill_filter(_type="normal", skipme=True)


def _unlock(server: RedisServer) -> None:
    with redis_py.Redis(port=server.port, password=_PASSWORD) as client:
        client.config_set("requirepass", "")


FAULTS = (
    Fault("killed, and started again", RedisServer.stop, RedisServer.start),
    Fault("restarted, empty", _restart, lambda _: None),
    Fault("frozen (SIGSTOP)", RedisServer.freeze, RedisServer.thaw),
    Fault("full", _fill, _empty),
    Fault("closed by another password", _lock, _unlock),
)


@dataclass(frozen=True)
class Watched:
    """A fault, and what was seen."""

    fault: str
    seen: Sequence[Seen]
    again_s: float | None

    def between(self, start_s: float, end_s: float) -> list[Seen]:
        return [one for one in self.seen if start_s <= one.at_s < end_s]


def measure(bench: Bench, picture: Path | None) -> None:
    """Each fault in turn, on the same processes; a picture of all of them."""
    try:
        server = RedisServer()
    except Missing as exc:
        raise NotMeasured(str(exc)) from None
    found: list[Watched] = []
    try:
        server.start()
        with bench.image.server(workers=WORKERS, redis=server.url) as atoll:
            for client in one_for_each(atoll.port, [process.pid for process in atoll.serving()]).values():
                client.__exit__(None, None, None)
            _warm(bench, server, atoll.port)
            faults = FAULTS[:1] if bench.quick else FAULTS
            found += [_run(bench, fault, server, atoll.port) for fault in faults]
    finally:
        server.close()
    _tell(bench, found)
    if picture is not None:
        picture.write_text(draw(found))


def _requests(bench: Bench, count: int) -> list[list[str]]:
    texts, known = bench.texts(), mixture.requests(5, count)
    every = round(1 / NEW)
    return [[texts.of(NEW_TOKENS)] if number % every == 0 else known[number] for number in range(count)]


def _warm(bench: Bench, server: RedisServer, port: int) -> None:
    Running(port, _requests(bench, 2000), users=USERS, seconds=2.0, rate=RATE).ended()
    if not _asked(server):
        raise NotMeasured("Atoll does not use Redis")


def _asked(server: RedisServer) -> int:
    """How often a Redis was asked since it started; 0 where it does not tell."""
    try:
        with redis_py.Redis(port=server.port, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
            found = client.info("commandstats")
    except redis_py.RedisError:
        return 0
    return int(found.get("cmdstat_mget", {}).get("calls", 0))


def _run(bench: Bench, fault: Fault, server: RedisServer, port: int) -> Watched:
    whole_s = BEFORE_S + DURING_S + AFTER_S
    running = Running(port, _requests(bench, int(2 * RATE * whole_s)), users=USERS, seconds=whole_s, rate=RATE)
    _sleep_until(running.began_s + BEFORE_S)
    fault.begin(server)
    _sleep_until(running.began_s + BEFORE_S + DURING_S)
    fault.end(server)
    ended_s = time.monotonic()
    again_s, asked = None, _asked(server)
    while again_s is None and time.monotonic() < running.began_s + whole_s:
        time.sleep(0.05)
        if _asked(server) > asked:
            again_s = time.monotonic() - ended_s
    return Watched(fault.name, running.ended(), again_s)


def _sleep_until(when_s: float) -> None:
    time.sleep(max(0.0, when_s - time.monotonic()))


def _tell(bench: Bench, found: Sequence[Watched]) -> None:
    title = f"{USERS} users, {RATE:.0f} requests a second, one in {1 / NEW:.0f} with a new text, {WORKERS} processes:"
    table = Table(title, _HEAD)
    errors, slow, back = 0, 0.0, True
    for one in found:
        phases = (
            ("before", 0.0, BEFORE_S),
            ("during", BEFORE_S, BEFORE_S + DURING_S),
            ("after", BEFORE_S + DURING_S, 1e9),
        )
        for name, start_s, end_s in phases:
            seen = one.between(start_s, end_s)
            took = [each.took_s for each in seen]
            refused, lost = sum(each.status >= 500 for each in seen), sum(each.status == 0 for each in seen)
            errors += refused + lost
            slow = max(slow, percentile(took, 0.99)) if name == "during" else slow
            again = ("not" if one.again_s is None else f"{one.again_s:.1f} s") if name == "after" else ""
            times = (f"{value * 1000:.1f} ms" for value in (percentile(took, 0.5), percentile(took, 0.99), max(took)))
            what = one.fault if name == "before" else ""
            table.rows.append((what, name, str(len(seen)), *times, str(refused), str(lost), again))
        back = back and one.again_s is not None
    bench.table(table)
    limit = Reach(_LIMIT_S * 1000, "value")
    bench.add("Atoll", "outage-errors", "Redis lost under load: 5xx and requests without an answer", errors, "",
              Reach(0, "value"))  # fmt: skip
    bench.add("Atoll", "outage-p99", "Redis lost under load: largest p99 of all faults", slow * 1000, "ms", limit, 1)
    bench.add("Atoll", "outage-back", "Redis is used again after each fault", float(back), "",
              Reach(1, "value", at_least=True))  # fmt: skip
    bench.details["outage"] = [
        {"fault": one.fault, "again_s": one.again_s, "seconds": Seconds.of(one.seen, _STRETCH_S).as_json()}
        for one in found
    ]


_LEFT, _WIDTH, _STRIP, _GAP = 60, 560, 70, 34
# Of the picture, in seconds; by powers of ten.
_LOW_S, _TENS = 0.001, 3


def draw(found: Sequence[Watched]) -> str:
    """A strip for each fault: median and slowest request of each quarter of a second; the fault is shaded."""
    whole_s = BEFORE_S + DURING_S + AFTER_S
    parts, top = [], 40.0

    def x(at_s: float) -> float:
        return _LEFT + _WIDTH * min(at_s, whole_s) / whole_s

    for one in found:
        parts.append(text(_LEFT, top - 6, f"Redis {one.fault}", "bold"))
        shade = f'width="{x(DURING_S) - _LEFT:.1f}" height="{_STRIP}" fill="#ffe3e3"'
        parts.append(f'<rect x="{x(BEFORE_S):.1f}" y="{top:.1f}" {shade}/>')
        for ten in range(_TENS + 1):
            y = top + _STRIP * (1 - ten / _TENS)
            parts.append(f'<path d="M{_LEFT} {y:.1f}h{_WIDTH}" stroke="#dee2e6" fill="none"/>')
            parts.append(text(_LEFT - 6, y + 4, f"{10**ten} ms" if ten < _TENS else "1 s", anchor="end"))
        seconds = Seconds.of(one.seen, _STRETCH_S)
        middles = [_STRETCH_S * (number + 0.5) for number in range(len(seconds.counts))]
        for values, colour in ((seconds.max_s, "#f08c00"), (seconds.p50_s, "#0b7285")):
            points = " ".join(
                f"{x(at):.1f},{top + _STRIP * (1 - _height(value)):.1f}"
                for at, value, count in zip(middles, values, seconds.counts, strict=True)
                if count
            )
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        top += _STRIP + _GAP
    marks = range(0, int(whole_s) + 1, 2)
    parts += [text(x(at), top - _GAP + 16, f"{at - BEFORE_S:.0f} s", anchor="middle") for at in marks]
    for number, (said, colour) in enumerate((("median", "#0b7285"), ("slowest", "#f08c00"))):
        left = _LEFT + 90 * number
        parts.append(f'<path d="M{left} {top + 2:.1f}h20" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(left + 26, top + 6, said))
    title = "Time of requests in quarters of a second, while something happens to Redis (shaded)"
    return svg(_LEFT + _WIDTH + 20, int(top) + 10, title, parts)


def _height(value_s: float) -> float:
    """0 at a millisecond, 1 at a second."""
    return min(1.0, max(0.0, log10(max(value_s, 1e-9) / _LOW_S) / _TENS))
