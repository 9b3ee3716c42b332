"""Measures imputation through real servers: `python -m benchmarks.imputation --help`."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import data, latency, load, machine, outcome, start
from benchmarks.latency import Bench
from benchmarks.report import NotMeasured, Report

NAMES = (*latency.NAMES, "load", "start", "import")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    names = list(data.NAMES) if "all" in given.data else list(dict.fromkeys(given.data))
    outcome.end_cleanly()
    scratch = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    try:
        report = _measure(names, given.quick, frozenset(given.only), scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return outcome.tell(given, report, report.markdown())


def _measure(names: list[str], quick: bool, only: frozenset[str], scratch: Path) -> Report:
    found, notes = data.find(names, scratch)
    if quick:
        notes.append("A quick run: too few requests for percentiles that mean much.")
    report = Report(machine.facts(), notes)
    for note in notes:
        print(note, flush=True)
    bench = Bench(report, quick, scratch, only)
    steps: list[tuple[str, Callable[[], None]]] = [("import", partial(start.measure_import, bench))]
    for one in found:
        steps.append((f"start on {one.name}", partial(start.measure, bench, one)))
        steps.append((f"requests on {one.name}", partial(latency.measure, bench, one)))
    # Once: what is under load is the processes, not the data.
    loaded = next((one for one in found if one.name == "world"), found[0])
    steps.append((f"load on {loaded.name}", partial(load.measure, bench, loaded)))
    for what, step in steps:
        try:
            step()
        except (NotMeasured, subprocess.SubprocessError) as exc:
            # What has been measured is not lost with what cannot be.
            report.fail(what, exc)
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation", description=__doc__)
    parser.add_argument("--data", nargs="+", default=["all"], choices=[*data.NAMES, "all"], help="data sets [all]")
    parser.add_argument("--quick", action="store_true", help="few requests: to see that it works")
    parser.add_argument("--only", nargs="+", default=[], choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    outcome.add_options(parser, "each single time too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
