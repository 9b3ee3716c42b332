"""Deadlines and executors under different policies, on recorded runs: `python -m benchmarks.scaleout.simulate`.

The first ten runs of each algorithm are the real profiling runs, which every policy knows. Fifty-five more follow,
forty of them normal and fifteen with failures in the order of the real campaign, each the replay of a real one drawn by
the seed; a policy learns from the runs that it steered itself. `truth` says what is assumed of times that nobody has
measured, under two settings that differ in every assumption. Nothing was chosen by looking at seeds below 1000.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from benchmarks.report import NotMeasured
from benchmarks.scaleout.picture import picture
from benchmarks.scaleout.policies import Ellis, Fixed, Ours
from benchmarks.scaleout.simulator import (
    Draw,
    Outcome,
    Phase,
    Policy,
    Ramped,
    Traces,
    best_constant,
    campaign,
    draws,
    oracle,
)
from benchmarks.scaleout.tables import Table
from benchmarks.scaleout.truth import HIGH, SETTINGS, Run, Setting, Truth, read, truth

DATA = Path(__file__).parents[3] / "shared" / "data" / "scaleout"
POLICIES: tuple[Callable[[], Policy], ...] = (
    lambda: Fixed(HIGH),
    Ramped,
    lambda: Ellis(adaptive=False),
    Ellis,
    lambda: Ours(adaptive=False),
    Ours,
)
IDEALS: tuple[Callable[[Truth, Draw], Outcome], ...] = (best_constant, oracle)
_HEAD = ("policy", "violations", "mean excess, min", "executor-minutes a run", "changes a run")


@dataclass(frozen=True)
class Row:
    """A policy in one phase under one setting.

    Parameters
    ----------
    violations : share of the runs.
    excess_minutes, executor_minutes, changes : means of a run.
    by_seed : of each seed, violations and mean executor-minutes.
    """

    setting: str
    phase: Phase
    policy: str
    runs: int
    violations: float
    excess_minutes: float
    executor_minutes: float
    changes: float
    by_seed: tuple[tuple[int, float], ...]


@cache
def _data() -> tuple[dict[str, tuple[float, list[Run]]], Traces]:
    return read(DATA / "enel_ellis_jobs.csv.gz"), Traces.read(DATA / "serverless_traces.csv.gz")


def one(task: tuple[Setting, int, str]) -> tuple[str, int, list[Outcome]]:
    """All policies on the runs of an algorithm."""
    setting, seed, algorithm = task
    recorded, traces = _data()
    real = truth(algorithm, *recorded[algorithm], setting, np.random.default_rng([seed, 1]))
    outcomes = [outcome for make in POLICIES for outcome in campaign(real, setting, traces, seed, make)]
    drawn = draws(real, setting, traces, seed)
    outcomes += [ideal(real, each) for ideal in IDEALS for each in drawn]
    return setting.name, seed, outcomes


def rows(found: Iterable[tuple[str, int, list[Outcome]]]) -> list[Row]:
    """Over all algorithms."""
    groups: dict[tuple[str, Phase, str], dict[int, list[Outcome]]] = {}
    for setting, seed, outcomes in found:
        for outcome in outcomes:
            group = groups.setdefault((setting, outcome.phase, outcome.policy), {})
            group.setdefault(seed, []).append(outcome)
    table = []
    for (setting, phase, policy), seeds in groups.items():
        flat = [outcome for outcomes in seeds.values() for outcome in outcomes]
        table.append(
            Row(
                setting,
                phase,
                policy,
                len(flat),
                fmean(outcome.excess_minutes > 0 for outcome in flat),
                fmean(outcome.excess_minutes for outcome in flat),
                fmean(outcome.executor_minutes for outcome in flat),
                fmean(outcome.changes for outcome in flat),
                tuple(
                    (
                        sum(bool(outcome.excess_minutes > 0) for outcome in outcomes),
                        fmean(outcome.executor_minutes for outcome in outcomes),
                    )
                    for _, outcomes in sorted(seeds.items())
                ),
            )
        )
    return table


def run(seeds: int, processes: int, first: int = 0) -> list[Row]:
    """Campaigns of all algorithms under all policies and settings.

    Raises
    ------
    NotMeasured
        The recorded runs are absent.
    """
    if not DATA.is_dir():
        raise NotMeasured(f"{DATA} is absent: the recorded runs lie there")
    chosen = range(first, first + seeds)
    tasks = [(setting, seed, name) for setting in SETTINGS for seed in chosen for name in _data()[0]]
    with ProcessPoolExecutor(processes) as pool:
        return rows(pool.map(one, tasks))


def tables(figures: Sequence[Row]) -> list[Table]:
    """One for each setting and phase, and how ours compares."""
    found = []
    for setting, phase in dict.fromkeys((row.setting, row.phase) for row in figures):
        chosen = [row for row in figures if (row.setting, row.phase) == (setting, phase)]
        table = Table(f"Setting {setting}, {phase}, {chosen[0].runs:,} runs of each policy", _HEAD)
        for row in chosen:
            table.add(
                row.policy,
                f"{row.violations:.1%}",
                f"{row.excess_minutes:.2f}",
                f"{row.executor_minutes:.1f}",
                f"{row.changes:.1f}",
            )
        table.notes.append(_compared({row.policy: row for row in chosen}))
        found.append(table)
    return found


def markdown(figures: Sequence[Row]) -> str:
    return "\n".join(table.markdown() for table in tables(figures))


def _compared(by: dict[str, Row]) -> str:
    ours, ellis, ideal = by["ours"], by["Ellis"], by["oracle"]
    pairs = list(zip(ours.by_seed, ellis.by_seed, strict=True))
    per_seed = ours.runs / len(pairs)
    fewer = [100 * (e[0] - o[0]) / per_seed for o, e in pairs]
    cheaper = [100 * (1 - o[1] / e[1]) for o, e in pairs]
    further = 100 * (ours.executor_minutes / ideal.executor_minutes - 1)
    reached = ours.violations < ellis.violations and ours.executor_minutes < ellis.executor_minutes
    both = sum(less > 0 and saved > 0 for less, saved in zip(fewer, cheaper, strict=True))
    return (
        f"{'PASS' if reached else 'MISS'}: against Ellis on the same seeds {_spread(fewer)} points fewer violations, "
        f"{_spread(cheaper)} % fewer executor-minutes; both in {both} of {len(pairs)} seeds. "
        f"From the oracle: {100 * (ours.violations - ideal.violations):.1f} points more violations, "
        f"{abs(further):.0f} % {'more' if further >= 0 else 'fewer'} executor-minutes."
    )


def _spread(values: Sequence[float]) -> str:
    """Mean and, of several seeds, a 95 % interval of it."""
    if len(values) < 2:
        return f"{values[0]:.1f}"
    half = 1.96 * stdev(values) / len(values) ** 0.5
    return f"{fmean(values):.1f} ± {half:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed; from 1000 they are for choosing")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    try:
        table = run(args.seeds, args.processes, args.first)
    except NotMeasured as exc:
        raise SystemExit(str(exc)) from exc
    report = markdown(table)
    print(report)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in table], indent=1))
    if args.markdown:
        args.markdown.write_text(report)
    if args.svg:
        args.svg.write_text(picture(table))


if __name__ == "__main__":
    main()
