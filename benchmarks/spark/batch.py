"""Runs of all algorithms, sizes and scale-outs on this machine, in a mixed order, one at a time.

    .venv/spark/bin/python -m benchmarks.spark.batch --logs build/spark-logs --minutes 40

For each scale-out there is an application that waits (`cluster.py`), so that neighbouring runs differ in everything: an
hour in which the machine was busy is not one scale-out's or one algorithm's alone. `runs.jsonl` beside the event logs
says which run was when in which application; `distil.py` makes traces of both.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.spark.application import Run

SCALE_OUTS = (1, 2, 3, 4)
ROWS = (50_000, 120_000, 300_000)
ITERATIONS = {"gbt": 3, "logisticregression": 8, "kmeans": 6, "mpc": 8}
# Of the runs with several executors, those that lose one on their way; and after how many seconds.
_KILLED, _KILL_AFTER_S = 0.15, (1.0, 4.0)


def plan(seed: int, sizes: Sequence[int] = ROWS) -> Iterator[tuple[str, int, Run]]:
    """(name, executors, run) without end, all combinations after one another in an order by chance."""
    chance = random.Random(seed)
    for repetition in itertools.count():
        runs = []
        for (algorithm, iterations), rows, executors in itertools.product(ITERATIONS.items(), sizes, SCALE_OUTS):
            run = Run(algorithm, rows, iterations=iterations, seed=1 + 1000 * repetition)
            if executors > 1 and chance.random() < _KILLED:
                run = replace(run, kill_after_s=round(chance.uniform(*_KILL_AFTER_S), 1))
            runs.append((f"{algorithm}-{rows}-{executors}-{repetition}", executors, run))
        chance.shuffle(runs)
        yield from runs


class Cluster:
    """The process of one application."""

    def __init__(self, executors: int, logs: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.spark.cluster", "--executors", str(executors), "--logs", str(logs)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.application_id = self._answer()["application_id"]

    def compute(self, run: Run) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(run)) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the application ended with {self._process.wait(60)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="sizes of the input")
    options = parser.parse_args()
    options.logs.mkdir(parents=True, exist_ok=True)
    # One begins after the other: together they would take the machine for a minute.
    clusters = {executors: Cluster(executors, options.logs) for executors in SCALE_OUTS}
    stop = time.monotonic() + options.minutes * 60
    for name, executors, run in plan(options.seed, options.rows):
        if time.monotonic() > stop:
            break
        cluster = clusters[executors]
        times = cluster.compute(run)
        line = {"name": name, "application_id": cluster.application_id, "executors": executors, **times, **asdict(run)}
        with (options.logs / "runs.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{name}: {times['end_s'] - times['start_s']:.1f} s", flush=True)
    for cluster in clusters.values():
        cluster.close()


if __name__ == "__main__":
    main()
