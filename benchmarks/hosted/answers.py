"""Atoll beside its peers: a row, a hundred trees, and a thousand rows at a time."""

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.hosted.bench import Bench
from benchmarks.hosted.bodies import BINARY, JSON
from benchmarks.hosted.contestants import ATOLL, Side, sides
from benchmarks.hosted.files import Shelf
from benchmarks.hosted.peers.work import MODELS
from benchmarks.hosted.wrk import load
from benchmarks.report import Fact, NotMeasured, Reach
from benchmarks.serving.served import Served

CONNECTIONS, MANY_ROWS, MANY_CONNECTIONS = (1, 16, 64), 1000, 4
# What one process has to attain.
LEAST_RATE, MOST_P50_S, LEAST_TIMES = 3000.0, 0.0005, 5.0
_HEAD = ("model", "body", "rows", "c", "server", "req/s", "rows/s", "p50", "p99", "CPU a request", "PSS")


@dataclass(frozen=True)
class Cell:
    model: str
    kind: str
    rows: int
    connections: int

    def __str__(self) -> str:
        return f"{self.model}, {self.kind}, {self.rows} rows, c={self.connections}"


@dataclass(frozen=True)
class Sample:
    """One run: requests a second, latencies, CPU of the server for a request, its memory."""

    rate: float
    p50_s: float
    p99_s: float
    cpu_s: float
    pss_bytes: float


@dataclass
class Answers:
    """All runs, by cell and server."""

    bench: Bench
    runs: dict[tuple[Cell, str], list[Sample]] = field(default_factory=dict)

    def measure(self, only: Sequence[str]) -> None:
        chosen = [side for side in sides(self.bench.files) if not only or side.contestant.name in only]
        usable = [side for side in chosen if self.bench.prepare(side.contestant)]
        for number in range(self.bench.rounds):
            print(f"answers, round {number + 1} of {self.bench.rounds}", flush=True)
            for side in usable:
                with self.bench.telling(side.contestant.name):
                    self._side(side)

    def median(self, cell: Cell, name: str) -> Sample | None:
        runs = self.runs.get((cell, name))
        if not runs:
            return None
        return Sample(**{key: statistics.median(asdict(run)[key] for run in runs) for key in asdict(runs[0])})

    def _side(self, side: Side) -> None:
        state = self.bench.folder()
        if side.contestant.name == ATOLL:
            shelf = Shelf(state)
            for name in MODELS:
                shelf.publish(name, self.bench.files / f"{name}.onnx")
        with _started(side, state, self.bench) as server:
            for cell in _cells():
                if cell.kind in side.bodies:
                    with self.bench.telling(f"{side.contestant.name}, {cell}"):
                        self._cell(side, server, cell)

    def _cell(self, side: Side, server: Served, cell: Cell) -> None:
        url = f"http://127.0.0.1:{server.port}{side.path.format(cell.model)}"
        body = side.bodies[cell.kind](cell.rows)
        cpus = self.bench.client_cpus
        if cell.connections in (CONNECTIONS[0], MANY_CONNECTIONS):
            load(url, body, connections=cell.connections, seconds=1, cpus=cpus)
        before = server.cpu_s()
        found = load(url, body, connections=cell.connections, seconds=self.bench.seconds, cpus=cpus)
        cpu_s = (server.cpu_s() - before) / found.requests
        sample = Sample(found.rate, found.p50_s, found.p99_s, cpu_s, server.pss_bytes())
        self.runs.setdefault((cell, side.contestant.name), []).append(sample)
        told = f"{sample.rate:,.0f}/s, p50 {sample.p50_s * 1e3:.2f} ms, {sample.cpu_s * 1e6:,.0f} µs of CPU"
        print(f"  {cell}: {side.contestant.name}: {told}", flush=True)

    def facts(self) -> list[Fact]:
        """What has to be attained."""
        found = []
        for kind in (JSON, BINARY):
            sixteen = self.median(Cell("iris", kind, 1, 16), ATOLL)
            one = self.median(Cell("iris", kind, 1, 1), ATOLL)
            if sixteen is not None:
                reach = Reach(LEAST_RATE, "value", at_least=True)
                found.append(
                    Fact("iris", f"rate-{kind}", f"requests a second, {kind}, c=16", sixteen.rate, "/s", reach)
                )
            if one is not None:
                reach = Reach(MOST_P50_S * 1e3, "value")
                title = f"p50, {kind}, c=1"
                found.append(Fact("iris", f"p50-{kind}", title, one.p50_s * 1e3, "ms", reach, decimals=2))
        return found + self._against_peers()

    def _against_peers(self) -> list[Fact]:
        found = []
        peers = sorted({name for _, name in self.runs} - {ATOLL})
        for cell in sorted({cell for cell, _ in self.runs}, key=str):
            own = self.median(cell, ATOLL)
            others = {name: sample for name in peers if (sample := self.median(cell, name)) is not None}
            if own is None or not others:
                continue
            if cell.rows == 1:
                name, least = min(others.items(), key=lambda pair: pair[1].cpu_s)
                title = f"CPU a request, by that of the best peer ({name})"
                ratio = own.cpu_s / least.cpu_s
                found.append(Fact(str(cell), "cpu", title, ratio, "", Reach(1, "value"), decimals=2))
            elif cell.kind == BINARY:
                name, best = max(others.items(), key=lambda pair: pair[1].rate)
                title = f"rows a second, by those of the best peer ({name})"
                reach = Reach(LEAST_TIMES, "value", at_least=True)
                found.append(Fact(str(cell), "rows", title, own.rate / best.rate, "x", reach, decimals=1))
                fastest, rate = self._best_rows(cell, peers)
                title = f"rows a second, by those of the best peer however it is asked ({fastest})"
                found.append(Fact(str(cell), "rows-any", title, own.rate / rate, "x", decimals=1))
        return found

    def _best_rows(self, cell: Cell, peers: Sequence[str]) -> tuple[str, float]:
        rates: dict[str, float] = {}
        for name in peers:
            for kind in (JSON, BINARY):
                sample = self.median(Cell(cell.model, kind, cell.rows, cell.connections), name)
                if sample is not None:
                    rates[f"{name}, {kind}"] = sample.rate
        return max(rates.items(), key=lambda pair: pair[1])

    def table(self) -> str:
        lines = ["| " + " | ".join(_HEAD) + " |", "|---|---|--:|--:|---|" + "--:|" * 6]
        for cell, name in sorted(self.runs, key=lambda pair: (str(pair[0]), pair[1] != ATOLL, pair[1])):
            found = self.median(cell, name)
            assert found is not None
            row = [
                cell.model,
                cell.kind,
                str(cell.rows),
                str(cell.connections),
                name,
                f"{found.rate:,.0f}",
                f"{found.rate * cell.rows:,.0f}",
                f"{found.p50_s * 1e3:.2f} ms",
                f"{found.p99_s * 1e3:.2f} ms",
                f"{found.cpu_s * 1e6:,.0f} µs",
                f"{found.pss_bytes / 1e6:.0f} MB",
            ]
            lines.append("| " + " | ".join(row) + " |")
        return "\n".join(lines) + "\n"

    def as_json(self) -> list[dict[str, Any]]:
        return [
            asdict(cell) | {"server": name, "runs": [asdict(run) for run in runs]}
            for (cell, name), runs in self.runs.items()
        ]


def _started(side: Side, state: Any, bench: Bench) -> Served:
    # `Served` makes the folder; a registry is in it already.
    moved = state.with_name(f"{state.name}-shelf")
    with suppress(FileNotFoundError):
        state.rename(moved)
    served = Served(side.contestant, state, bench.server_cpus)
    if moved.exists():
        state.rmdir()
        moved.rename(state)
    return served


def _cells() -> list[Cell]:
    small = [Cell(model, kind, 1, c) for model in MODELS for kind in (JSON, BINARY) for c in CONNECTIONS]
    return small + [Cell(model, kind, MANY_ROWS, MANY_CONNECTIONS) for model in MODELS for kind in (JSON, BINARY)]


__all__ = ["Answers", "NotMeasured"]
