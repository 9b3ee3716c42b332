"""Measures the console: first paint and bytes of each page, the server's CPU for an open tab, lists of many jobs, and
how long `atoll --help` takes. Some four minutes; Chromium is needed, and PostgreSQL for its part."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import machine, outcome
from benchmarks.console import browser, command, lists, paint, polling, scrolling
from benchmarks.console.bench import Bench, site
from benchmarks.console.paint import Seen
from benchmarks.console.polling import Asked
from benchmarks.report import Report

PARTS = ("command", "paint", "polling", "scrolling", "lists")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    outcome.end_cleanly()
    report = Report(machine.facts())
    if given.quick:
        report.notes.append("A quick run: too short for figures that mean much.")
    bench = Bench(report, Path(tempfile.mkdtemp(prefix="atoll-benchmark-")), given.quick)
    seen: dict[str, Seen] = {}
    asked: dict[str, Asked] = {}
    try:
        if "command" in given.parts:
            with bench.telling("atoll --help"):
                command.measure(bench)
        if {"paint", "polling", "scrolling"} & set(given.parts):
            with bench.telling("pages"), browser.opened() as chromium, site(bench) as served:
                if "paint" in given.parts:
                    seen = paint.measure(bench, chromium, served)
                if "scrolling" in given.parts:
                    with bench.telling("scrolling"):
                        scrolling.measure(bench, chromium, served)
                if "polling" in given.parts:
                    asked = polling.measure(bench, chromium, served)
        if "lists" in given.parts:
            lists.measure(bench)
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    text = "\n".join(part for part in (report.markdown(), _painted(seen), _polled(asked)) if part)
    pages = {name: vars(one) for name, one in seen.items()}
    tabs = {name: vars(one) for name, one in asked.items()}
    return outcome.tell(given, report, text, {"pages": pages, "tabs": tabs})


def _painted(seen: Mapping[str, Seen]) -> str:
    """Medians: when anything is seen of a page, when its data is in place, and its bytes."""
    if not seen:
        return ""
    lines = [
        "| page | first paint, cold | data in place | first paint, warm | data in place | bytes | with charts | warm |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in seen.items():
        times = (one.cold_ms, one.cold_in_place_ms, one.warm_ms, one.warm_in_place_ms)
        sizes = (one.page_kb, one.page_kb + one.charts_kb, one.again_kb)
        cells = [*(f"{ms:.0f} ms" for ms in times), *(f"{kb:.0f} kB" for kb in sizes)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _polled(asked: Mapping[str, Asked]) -> str:
    if not asked:
        return ""
    lines = ["| open tab | requests a minute | CPU of the server |", "|---|--:|--:|"]
    lines += [f"| {name} | {one.requests_per_min:.0f} | {one.cpu_percent:.2f}% |" for name, one in asked.items()]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything: to see that it works")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=", ".join(PARTS))
    outcome.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
