"""Measures hosted models: beside KServe, MLServer, LitServe, BentoML and PyTriton on the same ONNX files, 200 of them
in a small pool, at a switch under load, and a gigabyte on its way in."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, outcome
from benchmarks.hosted import files, pool, switch, upload
from benchmarks.hosted.answers import Answers
from benchmarks.hosted.bench import Bench
from benchmarks.hosted.contestants import sides
from benchmarks.report import Report
from benchmarks.serving import wrk

PARTS = ("answers", "pool", "switch", "upload")
ROUNDS, SECONDS = 3, 3


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    outcome.end_cleanly()
    report = Report(machine.facts())
    if given.quick:
        report.notes.append("A quick run: too short for figures that mean much.")
    cpus = machine.usable_cpus()
    apart = len(cpus) > 1
    scratch = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    bench = Bench(
        report,
        scratch,
        files.make(scratch / "files"),
        1 if given.quick else given.rounds,
        1 if given.quick else given.seconds,
        given.quick,
        set(cpus[1:]) if apart else None,
        set(cpus[:1]) if apart else None,
    )
    answers = Answers(bench)
    try:
        if given.prepare:
            made = [bench.prepare(side.contestant) for side in sides(bench.files)]
            return 0 if all(made) else 1
        wrk.check()
        if "answers" in given.parts:
            answers.measure(given.only)
            report.add(*answers.facts())
        for name, part in (("pool", pool), ("switch", switch), ("upload", upload)):
            if name in given.parts:
                print(name, flush=True)
                with bench.telling(name):
                    part.measure(bench)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    text = f"{report.markdown()}\n{answers.table() if answers.runs else ''}"
    return outcome.tell(given, report, text, {"answers": answers.as_json()})


def _parser() -> argparse.ArgumentParser:
    names = [side.contestant.name for side in sides(Path())]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosted", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs: to see that it works")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that everybody has a turn [%(default)s]")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="that a run takes [%(default)s]")
    parser.add_argument("--only", nargs="+", default=[], choices=names, metavar="SERVER", help=", ".join(names))
    parser.add_argument("--prepare", action="store_true", help="make the environments of the peers, and nothing else")
    outcome.add_options(parser, "each single run too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
