"""Measures queued jobs: Atoll's kernel through real servers and workers, and the same jobs through its peers."""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import psutil

from benchmarks import machine, outcome
from benchmarks.jobs import accept, atoll, backends, contest, kills, pages
from benchmarks.report import Fact, NotMeasured, Reach, Report, percentile
from benchmarks.server import Server

PARTS = ("contest", "accept", "pages", "kills")
DATABASES = ("SQLite", "PostgreSQL")
RATES = {"SQLite": 150.0, "PostgreSQL": 300.0}
ACCEPT_S, QUICK_ACCEPT_S = 30.0, 5.0
KILLS, QUICK_KILLS = 6, 1


@dataclass
class Bench:
    """What the parts share."""

    report: Report
    quick: bool
    scratch: Path
    python: str
    databases: dict[str, Callable[[], str]]
    server: Callable[[], list[psutil.Process]] = list
    postgresql: backends.Postgresql | None = None
    scores: list[contest.Score] = field(default_factory=list)
    _folders: int = 0

    def folder(self) -> Path:
        self._folders += 1
        folder = self.scratch / str(self._folders)
        folder.mkdir()
        return folder

    def add(
        self, data: str, name: str, title: str, value: float, unit: str, reach: Reach | None = None, decimals: int = 1
    ) -> None:
        # A quick run is too short to judge by.
        self.report.add(Fact(data, name, title, value, unit, None if self.quick else reach, "", decimals))


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    outcome.end_cleanly()
    report = Report(machine.facts())
    if given.quick:
        report.notes.append("A quick run: too few jobs for figures that mean much.")
    scratch = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    scratch.chmod(0o755)
    bench = Bench(report, given.quick, scratch, contest.python_of_peers(given.peers), {})
    try:
        with ExitStack() as stack:
            _start(bench, stack)
            for what, step in _steps(bench, given.only or PARTS, stack):
                print(what, flush=True)
                try:
                    step()
                except (NotMeasured, subprocess.SubprocessError) as exc:
                    # What has been measured is not lost with what cannot be.
                    report.fail(what, exc)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    text = report.markdown() + (f"\n{contest.table(bench.scores)}" if bench.scores else "")
    return outcome.tell(given, report, text, {"contest": [asdict(score) for score in bench.scores]})


def _start(bench: Bench, stack: ExitStack) -> None:
    bench.databases["SQLite"] = lambda: f"sqlite:///{bench.folder() / 'atoll.db'}"
    try:
        postgresql = stack.enter_context(backends.postgresql())
    except NotMeasured as exc:
        bench.report.fail("PostgreSQL", exc)
        return
    bench.postgresql = postgresql
    bench.databases["PostgreSQL"] = postgresql.database


def _steps(bench: Bench, parts: Sequence[str], stack: ExitStack) -> list[tuple[str, Callable[[], None]]]:
    steps: list[tuple[str, Callable[[], None]]] = []
    if "contest" in parts:
        steps += [(f"jobs through Atoll on {name}", partial(_atoll, bench, name)) for name in bench.databases]
        steps += [
            ("jobs through Celery", partial(_celery, bench, stack)),
            ("jobs through Huey", partial(_huey, bench)),
            ("jobs through Procrastinate", partial(_procrastinate, bench)),
        ]
    if "accept" in parts:
        steps += [(f"accepting on {name}", partial(_accept, bench, name)) for name in bench.databases]
    if "pages" in parts:
        steps += [(f"pages of jobs on {name}", partial(_pages, bench, name)) for name in bench.databases]
    if "kills" in parts:
        steps.append(("killed workers", partial(_kills, bench)))
    return steps


def _atoll(bench: Bench, name: str) -> None:
    server = bench.postgresql.processes if bench.postgresql and name == "PostgreSQL" else list
    system = atoll.system(f"Atoll, {name}", bench.databases[name](), bench.folder(), server)
    score = _compete(bench, system)
    rate = Reach(RATES[name], "value", at_least=True)
    bench.add(name, "noop-rate", "no-op jobs a second through one worker", score.noop_rate, "/s", rate, 0)
    half = percentile(score.wait_s, 0.5) * 1000
    bench.add(name, "begin-p50", "sent to begun in another process, p50", half, "ms", Reach(50, "value"))
    bench.add(name, "begin-p99", "sent to begun in another process, p99", percentile(score.wait_s, 0.99) * 1000, "ms")


def _celery(bench: Bench, stack: ExitStack) -> None:
    url, server = stack.enter_context(backends.redis_server(bench.folder()))
    setting = "Redis; processes, results in Redis"
    _compete(bench, contest.peer(bench.python, "celery_redis", "Celery", setting, url, server))


def _huey(bench: Bench) -> None:
    url = str(bench.folder() / "huey.db")
    setting = "SQLite; processes, results in SQLite"
    _compete(bench, contest.peer(bench.python, "huey_sqlite", "Huey", setting, url, []))


def _procrastinate(bench: Bench) -> None:
    if bench.postgresql is None:
        raise NotMeasured("there is no PostgreSQL")
    url, module = bench.postgresql.database(), "procrastinate_postgresql"
    system = contest.peer(bench.python, module, "Procrastinate", "PostgreSQL; threads, no results", url, [])
    _compete(bench, contest.with_server(system, bench.postgresql.processes))


def _compete(bench: Bench, system: contest.System) -> contest.Score:
    score = contest.measure(system, contest.QUICK if bench.quick else contest.Sizes(), bench.scratch)
    bench.scores.append(score)
    print(
        f"  {score.noop_rate:.0f} no-op and {score.sleep_rate:.1f} 50 ms jobs/s, "
        f"{score.cpu_s * 1000:.2f} + {score.server_cpu_s * 1000:.2f} ms of CPU a job",
        flush=True,
    )
    return score


def _accept(bench: Bench, name: str) -> None:
    url, state = bench.databases[name](), bench.folder()
    sender = atoll.Sender(state, url)
    with Server(state, state, settings=atoll.settings(state, url)) as server:
        accept.measure(server.port, 2.0)
        found = accept.measure(server.port, QUICK_ACCEPT_S if bench.quick else ACCEPT_S)
        waits = accept.waits_s(sender.database)[-len(found.seconds) :]
    if not found.seconds:
        raise NotMeasured(f"nothing was accepted: {found.errors[:1]}")
    title = f"POST to 202 at {accept.RATE:.0f}/s"
    bench.add(name, "accept-p50", f"{title}, p50", percentile(found.seconds, 0.5) * 1000, "ms")
    slow = percentile(found.seconds, 0.99) * 1000
    bench.add(name, "accept-p99", f"{title}, p99 of {len(found.seconds)}", slow, "ms", Reach(25, "value"))
    bench.add(name, "accept-errors", f"{title}, errors", len(found.errors), "", Reach(0, "value"), 0)
    half = percentile(waits, 0.5) * 1000
    bench.add(name, "wait-p50", "queued to running meanwhile, p50", half, "ms", Reach(50, "value"))
    bench.add(name, "wait-p99", "queued to running meanwhile, p99", percentile(waits, 0.99) * 1000, "ms")


def _pages(bench: Bench, name: str) -> None:
    url, state = bench.databases[name](), bench.folder()
    pages.fill(atoll.Sender(state, url))
    settings = atoll.settings(state, url) | {"ATOLL_ROLES": "http"}
    with Server(state, state, settings=settings) as server:
        found = pages.measure(server)
    if found.jobs != pages.COUNT:
        raise NotMeasured(f"{found.jobs} of {pages.COUNT} jobs were listed")
    title = f"of {pages.COUNT:,} queued jobs, {pages.PAGE} a page"
    limit = Reach(20, "value")
    for which, seconds in (("first page", found.first_s), ("any page by cursor", found.deep_s)):
        short = which.split()[0]
        bench.add(name, f"{short}-p50", f"{which} {title}, p50", percentile(seconds, 0.5) * 1000, "ms")
        bench.add(name, f"{short}-p99", f"{which} {title}, p99", percentile(seconds, 0.99) * 1000, "ms", limit)
    grown = (found.after_bytes - found.before_bytes) / 1e6
    bench.add(name, "rss", "memory of the server (RSS) before", found.before_bytes / 1e6, "MB")
    bench.add(name, "rss-grown", f"its growth by listing all {found.jobs:,}", grown, "MB", Reach(5, "value"))


def _kills(bench: Bench) -> None:
    name = "PostgreSQL" if bench.postgresql else "SQLite"
    count = QUICK_KILLS if bench.quick else KILLS
    found = kills.measure(bench.databases[name](), bench.folder(), count, bench.scratch)
    title = f"killed worker's job runs again, of {len(found)}"
    bench.add(name, "killed-min", f"{title}, min", min(found), "s")
    bench.add(name, "killed-median", f"{title}, median", statistics.median(found), "s")
    bench.add(name, "killed-max", f"{title}, max", max(found), "s", Reach(60, "value"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few jobs: to see that it works")
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--peers", help="the Python that has Celery, Huey and Procrastinate [.venv/bench]")
    outcome.add_options(parser, "each single time too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
