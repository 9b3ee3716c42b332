"""Measures the models of run times: `make bench-scaleout`, or one part of it, e.g. `ARGS="--only c3o --splits 30"`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.report import NotMeasured
from benchmarks.scaleout.tables import Table

# One thread each: the processes take the cores, and more threads would take them from each other.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PARTS = ("curves", "c3o", "remaining", "simulator", "graph", "decision")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scaleout", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--splits", type=int, default=300, help="random splits of C3O in each regime")
    parser.add_argument("--every", type=int, default=1, help="of the runs 11-65, predict every so many")
    parser.add_argument("--seeds", type=int, default=10, help="campaigns of the simulator")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    # After the variables, which the libraries read when they are loaded.
    from benchmarks.scaleout import c3o, curves, decision, graph, remaining, simulate

    parts: dict[str, Callable[[], list[Table]]] = {
        "curves": curves.run,
        "c3o": lambda: c3o.run(given.splits, given.processes),
        "remaining": lambda: remaining.run(given.processes, given.every),
        "simulator": lambda: simulate.tables(simulate.run(given.seeds, given.processes)),
        "graph": graph.run,
        "decision": decision.run,
    }
    began, tables = time.monotonic(), []
    for name, part in parts.items():
        if given.only and name not in given.only:
            continue
        try:
            found = part()
        except NotMeasured as exc:
            print(f"{name}: {exc}", file=sys.stderr)
            return 1
        for table in found:
            print(f"{table.markdown()}", flush=True)
        tables += found
    took = f"Measured in {time.monotonic() - began:.0f} s by {given.processes} processes."
    print(took)
    if given.markdown:
        given.markdown.write_text("\n".join(table.markdown() for table in tables) + f"\n{took}\n")
    if given.json:
        given.json.write_text(json.dumps([asdict(table) for table in tables], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
