"""Measures sentiment with a classifier of DistilBERT's full size: Atoll, and transformers' pipeline behind FastAPI."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine, outcome
from benchmarks.jobs.backends import redis_server
from benchmarks.report import NotMeasured, Report
from benchmarks.sentiment import contest, crowd, image, limit, memory, model, outage, soak
from benchmarks.sentiment.bench import Bench
from benchmarks.sentiment.environment import TRANSFORMERS

PARTS = ("limit", "uncached", "mixture", "memory", "outage")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    outcome.end_cleanly()
    report = Report(machine.facts())
    python = _peer(report)
    if given.prepare:
        return 1 if report.failed else 0
    if given.quick:
        report.notes.append("A quick run: too short for figures that mean much.")
    began = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    try:
        with ExitStack() as stack:
            bench = _start(report, scratch, python, quick=given.quick)
            url, _ = stack.enter_context(redis_server(scratch / "redis"))
            _measure(bench, given, url.removesuffix("/0"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report.machine["took"] = f"{time.monotonic() - began:.0f} s"
    return outcome.tell(given, report, bench.markdown(), bench.details_as_json())


def _peer(report: Report) -> str | None:
    try:
        python = TRANSFORMERS.python()
    except (NotMeasured, subprocess.SubprocessError) as exc:
        report.fail("the pipeline", exc)
        return None
    report.machine["pipeline"] = TRANSFORMERS.told()
    return python


def _start(report: Report, scratch: Path, python: str | None, *, quick: bool) -> Bench:
    print("making a model, and pulling it", flush=True)
    checkpoint = model.make(scratch / "checkpoint")
    made, told = image.build(checkpoint, scratch)
    report.machine["model"] = (
        f"random weights, {told['architecture']}, {told['size_bytes'] / 1e6:.0f} MB; {told['quantised']}; "
        f"scores {told['scores apart, mean']} from the original's in the mean"
    )
    # The copy of the weights that processes map is written at the first start of all.
    with made.server() as server:
        report.machine["first start of all"] = f"{server.ready_s:.1f} s, with the copy of the weights"
    with made.server(registered=True):
        pass
    return Bench(report, quick, scratch, made, checkpoint, python)


def _measure(bench: Bench, given: argparse.Namespace, url: str) -> None:
    def redis(database: int) -> str:
        return f"{url}/{database}"

    steps: dict[str, Callable[[], None]] = {
        "limit": lambda: limit.measure(bench),
        "uncached": lambda: contest.measure(bench, redis),
        "mixture": lambda: crowd.measure(bench, redis),
        "memory": lambda: memory.measure(bench, redis),
        "outage": lambda: outage.measure(bench, given.picture),
        "soak": lambda: soak.measure(bench, redis, given.soak),
    }
    # By default all but the long one; that alone where it is asked for, unless others are named too.
    parts = given.only or (() if given.soak else PARTS)
    for name in [*parts, *(["soak"] if given.soak else [])]:
        began = time.monotonic()
        print(f"\n{name}", flush=True)
        try:
            steps[name]()
        except (NotMeasured, subprocess.SubprocessError) as exc:
            # What has been measured is not lost with what cannot be.
            bench.report.fail(name, exc)
        print(f"  ({name} took {time.monotonic() - began:.0f} s)", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sentiment", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs: to see that it works")
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--soak", type=int, default=0, metavar="SECONDS", help="the mixture for so long, alone")
    parser.add_argument("--prepare", action="store_true", help="make the environment of the peer, and nothing else")
    parser.add_argument("--picture", type=Path, help="draw what happens while Redis is away, as SVG")
    outcome.add_options(parser, "each single run too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
