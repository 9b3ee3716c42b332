"""Measures what serving costs beside the model, through Atoll, bare FastAPI, KServe, MLServer, LitServe and BentoML."""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine, outcome
from benchmarks.client import Client
from benchmarks.report import NotMeasured, Report
from benchmarks.serving import wrk
from benchmarks.serving.cells import FOREST, Cell, Cells, Sample, judged, summary, table, verdicts
from benchmarks.serving.contestants import ATOLL, BARE, CONTESTANTS, DEFAULTS, Asked, Contestant, python_of
from benchmarks.serving.served import Served

MODELS = ("add_one", "iris")
CONNECTIONS = (1, 16, 64)
# wrk takes whole seconds.
ROUNDS, SECONDS, QUICK_SECONDS, WARM_S = 3, 2, 1, 1
# Row by row, 64 who wait for a forest wait for half a second.
FOREST_LEAST_S = 4
# Further apart than the numbers that a run uses up.
_STEP = 10**6


@dataclass
class Bench:
    """What a run shares."""

    report: Report
    seconds: int
    scratch: Path
    server_cpus: set[int] | None
    client_cpus: set[int] | None
    cells: Cells = field(default_factory=Cells)
    # No body is sent twice, in whatever order servers are asked.
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(_STEP, _STEP))
    _folders: Iterator[int] = field(default_factory=itertools.count)

    def folder(self) -> Path:
        return self.scratch / str(next(self._folders))


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    outcome.end_cleanly()
    report = Report(machine.facts())
    chosen = [one for one in CONTESTANTS if not given.only or one.name in given.only]
    usable = [one for one in chosen if _prepare(report, one)]
    if given.prepare:
        return 1 if report.failed else 0
    wrk.check()
    rounds, seconds = (1, QUICK_SECONDS) if given.quick else (given.rounds, given.seconds)
    if given.quick:
        report.notes.append("A quick run: too short for figures that mean much.")
    cpus = machine.usable_cpus()
    apart = len(cpus) > 1
    scratch = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    bench = Bench(report, seconds, scratch, set(cpus[1:]) if apart else None, set(cpus[:1]) if apart else None)
    began = time.monotonic()
    try:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}, after {time.monotonic() - began:.0f} s", flush=True)
            _round(bench, usable)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report.machine["took"] = f"{time.monotonic() - began:.0f} s: {rounds} rounds, {seconds} s a run"
    peers = [one.name for one in usable if one.environment is not None]
    facts = judged(bench.cells, peers)
    text = _text(report, bench.cells, verdicts(facts))
    report.facts += facts
    return outcome.tell(given, report, text, {"cells": bench.cells.as_json()})


def _prepare(report: Report, contestant: Contestant) -> bool:
    try:
        python_of(contestant)
    except (NotMeasured, subprocess.SubprocessError) as exc:
        report.fail(contestant.name, exc)
        return False
    if contestant.environment is not None:
        report.machine[contestant.name] = contestant.environment.told()
    return True


def _round(bench: Bench, contestants: Sequence[Contestant]) -> None:
    """Each cell once: Atoll and bare FastAPI take turns within it, the peers come one by one."""
    own = [one for one in contestants if one.environment is None]
    with ExitStack() as stack:
        servers: dict[str, Served] = {}
        for one in own:
            key = one.beside or one.name
            if key not in servers:
                servers[key] = stack.enter_context(Served(one, bench.folder(), bench.server_cpus))
        for cell in _cells():
            for one in own:
                if one.name not in DEFAULTS or cell.model == MODELS[0]:
                    _try(bench, cell, one, servers[one.beside or one.name])
        for one in own:
            if one.name in (BARE, ATOLL):
                _try(bench, Cell(FOREST, CONNECTIONS[-1]), one, servers[one.name])
    for one in contestants:
        if one.environment is not None:
            _peer(bench, one)


def _peer(bench: Bench, contestant: Contestant) -> None:
    try:
        with Served(contestant, bench.folder(), bench.server_cpus) as server:
            for cell in _cells():
                _try(bench, cell, contestant, server)
    except NotMeasured as exc:
        bench.report.fail(contestant.name, exc)


def _try(bench: Bench, cell: Cell, contestant: Contestant, server: Served) -> None:
    try:
        _measure(bench, cell, contestant, server)
    except NotMeasured as exc:
        # What has been measured is not lost with what cannot be.
        bench.report.fail(f"{cell}: {contestant.name}", exc)


def _cells() -> list[Cell]:
    return [Cell(model, connections) for model in MODELS for connections in CONNECTIONS]


def _measure(bench: Bench, cell: Cell, contestant: Contestant, server: Served) -> None:
    asked = contestant.models[cell.model]
    url = f"http://127.0.0.1:{server.port}{asked.path}"

    def load(seconds: int) -> wrk.Load:
        first = 0 if contestant.distinct == wrk.RETURNING else next(bench.numbers)
        return wrk.load(
            url,
            asked.template,
            connections=cell.connections,
            seconds=seconds,
            first=first,
            distinct=contestant.distinct,
            cpus=bench.client_cpus,
        )

    if cell.connections == CONNECTIONS[0] or cell.model == FOREST:
        load(WARM_S)
    if contestant.name.startswith(ATOLL):
        _check_cache(contestant, asked, server, 0 if contestant.distinct == wrk.RETURNING else next(bench.numbers))
    before = server.cpu_s()
    found = load(max(bench.seconds, FOREST_LEAST_S) if cell.model == FOREST else bench.seconds)
    cpu_s = (server.cpu_s() - before) / found.requests
    sample = Sample(found.rate, found.p50_s, found.p99_s, cpu_s, server.pss_bytes())
    bench.cells.add(cell, contestant.name, sample)
    print(f"  {cell}: {contestant.name}: {sample.rate:,.0f}/s, {sample.cpu_s * 1e6:.0f} µs of CPU", flush=True)


def _check_cache(contestant: Contestant, asked: Asked, server: Served, number: int) -> None:
    """Or something else would be measured than the name says."""
    expected = "hit" if contestant.distinct == wrk.RETURNING else "miss"
    with Client(server.port) as client:
        found = client.post(asked.path, asked.template.replace("$N", str(number)).encode()).cache
    if found != expected:
        raise NotMeasured(f"{contestant.name}: the cache had a {found} where it should have a {expected}")


def _text(report: Report, cells: Cells, told: str) -> str:
    return f"{report.markdown()}\n{table(cells)}\n{summary(cells)}\n{told}\n"


def _parser() -> argparse.ArgumentParser:
    names = [one.name for one in CONTESTANTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of short runs: to see that it works")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that everybody has a turn [%(default)s]")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="that a run takes [%(default)s]")
    parser.add_argument("--only", nargs="+", default=[], choices=names, metavar="SERVER", help=", ".join(names))
    parser.add_argument("--prepare", action="store_true", help="make the environments of the peers, and nothing else")
    outcome.add_options(parser, "each single run too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
