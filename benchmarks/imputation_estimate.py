"""How well imputation foretells its own time: `python -m benchmarks.imputation_estimate --help`.

Random questions, some of years that are known and some of others, are estimated and then answered, in one process per
data set that begins with an empty state folder. The first `WARM_UP` teach; the rest are judged. Time is CPU time of the
thread that answers, so that others at work on the machine do not count; wall time is told beside it.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import data, machine
from common.errors import Invalid
from models._indicators import IndicatorSet, load
from models.imputation import choices
from models.imputation.estimate import estimate_s
from models.imputation.service import memory, predict
from models.imputation.spec import Interpolator, Interval, Model, Scheme, Spec

WARM_UP = 20
LEAST = 40
# Most questions are about few years.
HOT_YEARS, HOT_SHARE = 3, 0.7
REACH = 0.30


@dataclass(frozen=True)
class Asked:
    """One question: seconds foretold, of CPU and of wall taken; whether level 1 of its year was known."""

    estimate_s: float
    cpu_s: float
    wall_s: float
    known: bool

    @property
    def error(self) -> float:
        return abs(self.estimate_s - self.cpu_s) / self.cpu_s

    @property
    def wall_error(self) -> float:
        return abs(self.estimate_s - self.wall_s) / self.wall_s


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation_estimate", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(data.NAMES), choices=data.NAMES)
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU for each data set [60]")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path, help="write each question's times here")
    parser.add_argument("--strict", action="store_true", help="end with 1 if the reach is missed")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.folder:
        print(json.dumps([asdict(one) for one in _asked(given.folder, given.seconds, given.seed)]))
        return 0
    with tempfile.TemporaryDirectory(prefix="atoll-benchmark-") as scratch:
        found, notes = data.find(given.data, Path(scratch))
        results = {one.name: _measured(one, given.seconds, given.seed, Path(scratch)) for one in found}
    for note in notes:
        print(note)
    print(f"{machine.facts()['CPU']}; load before: {machine.facts()['load before']}\n\n{_table(results)}")
    if given.json:
        given.json.write_text(json.dumps({name: [asdict(one) for one in asked] for name, asked in results.items()}))
    missed = [name for name, asked in results.items() if _median([one.error for one in asked[WARM_UP:]]) > REACH]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if given.strict and missed else 0


def _measured(one: data.Data, seconds: float, seed: int, scratch: Path) -> list[Asked]:
    """In a process of its own: the first question of a process is one of those to foretell."""
    command = [sys.executable, "-m", "benchmarks.imputation_estimate", "--folder", str(one.folder)]
    told = subprocess.run(
        [*command, "--seconds", str(seconds), "--seed", str(seed)],
        env=os.environ | {"ATOLL_STATE": str(scratch / f"state-{one.name}")},
        stdout=subprocess.PIPE,
        check=True,
    )
    return [Asked(**asked) for asked in json.loads(told.stdout)]


def _asked(folder: Path, seconds: float, seed: int) -> list[Asked]:
    import sklearn.tree  # noqa: F401 - as the plugin does when it is loaded

    os.nice(10)
    indicators = load(folder, Path(os.environ["ATOLL_STATE"]) / "cache")
    draw = random.Random(seed)
    years = [year for year in indicators.years if choices.of_year(indicators, year).targets]
    hot = draw.sample(years, min(HOT_YEARS, len(years)))
    asked: list[Asked] = []
    began_s = time.process_time()
    while time.process_time() - began_s < seconds or len(asked) < LEAST:
        spec = question(indicators, draw, draw.choice(hot if draw.random() < HOT_SHARE else years))
        known = memory.holds(indicators, spec.year, spec.interpolator)
        estimate = estimate_s(indicators, spec)
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        try:
            predict(indicators, spec)
        except Invalid:
            # A target with too few values, or none but clones.
            continue
        asked.append(Asked(estimate, time.thread_time() - cpu_s, time.perf_counter() - wall_s, known))
    return asked


def question(indicators: IndicatorSet, draw: random.Random, year: int) -> Spec:
    """Any that the routes would let through, the usual ones more often."""
    offered = choices.of_year(indicators, year)
    target = draw.choice(sorted(offered.targets))
    usable = sorted(offered.predictors - {target})
    scheme = draw.choices(list(Scheme), [2, 1, 2])[0]
    number = min(len(usable), draw.choice([1, 3, 10, 20] if scheme is Scheme.MANUAL else [5, 10, 20, 50]))
    manual = scheme is Scheme.MANUAL
    return Spec(
        target,
        year,
        draw.choices(list(Interpolator), [6, 1, 2])[0],
        scheme,
        tuple(draw.sample(usable, number)) if manual else (),
        None if manual else number,
        draw.choice([10, 10, 30, 100, 100, 200]),
        draw.choices(list(Model), [6, 2, 2, 1])[0],
        draw.choices(list(Interval), [3, 1])[0],
        draw.random() < 0.8,
    )


def _table(results: dict[str, list[Asked]]) -> str:
    lines = [
        "| data | questions | year known | CPU seconds, median (5th to 95th) | error, median | 90th percentile "
        "| median of known / new years | of wall time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, asked in results.items():
        judged = asked[WARM_UP:]
        took, errors = sorted(one.cpu_s for one in judged), sorted(one.error for one in judged)
        by_known = [_median([one.error for one in judged if one.known is known]) for known in (True, False)]
        lines.append(
            f"| `{name}` | {len(judged)} | {sum(one.known for one in judged) / len(judged):.0%} "
            f"| {_median(took):.2f} ({took[len(took) // 20]:.2f} to {took[-1 - len(took) // 20]:.2f}) "
            f"| {_median(errors):.0%} | {errors[int(0.9 * (len(errors) - 1))]:.0%} "
            f"| {by_known[0]:.0%} / {by_known[1]:.0%} | {_median([one.wall_error for one in judged]):.0%} |"
        )
    return "\n".join(lines)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
