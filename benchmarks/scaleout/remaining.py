"""How well is predicted what is left of a run, after each of its jobs: rolling origin over 65 runs of 4 algorithms.

Each run from the 11th on is predicted by a model of the runs before it, of all algorithms and both methods. What it is
compared with is computed in the same way, in the same run: Ellis, and the median of what was left of the runs before,
times how much slower this run was than their median so far.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaleout.published import adjusted_runs
from benchmarks.scaleout.tables import Table
from models.scaleout.learning.course import Course
from models.scaleout.learning.ellis import Ellis
from models.scaleout.learning.remaining import Boosted, Rows
from models.scaleout.records import Application

Floats = NDArray[np.float64]

FIRST, LAST = 11, 65
REACH_S = 95.0
PUBLISHED = "published: Ellis 137 s, 35.5 %; median times slowdown 113 s, 22.4 %"


@dataclass(frozen=True)
class Errors:
    """Of predictions, one each: what was left and what each model said (s), and whether the intervals held."""

    left_s: Floats
    ours_s: Floats
    slowdown_s: Floats
    ellis_s: Floats
    in80: Floats
    in90: Floats
    anomalous: Floats
    has_scale_out: Floats

    @classmethod
    def joined(cls, parts: Iterable["Errors"]) -> "Errors":
        several = list(parts)
        return cls(*(np.concatenate([getattr(part, f.name) for part in several]) for f in fields(cls)))

    def where(self, chosen: NDArray[np.bool_]) -> "Errors":
        return Errors(*(getattr(self, f.name)[chosen] for f in fields(Errors)))


@dataclass(frozen=True)
class _Group:
    """The runs of one algorithm and method, and what is learnt from them (`number`: of the run, by row)."""

    runs: tuple[Application, ...]
    phases: tuple[str, ...]
    rows: Rows
    number: NDArray[np.int_]


def run(processes: int, every: int = 1) -> list[Table]:
    """`every`: so many runs are gone on by each time."""
    groups = [_group([run for run, _ in runs], [phase for _, phase in runs]) for _, runs in adjusted_runs()]
    numbers = list(range(FIRST, LAST + 1, every))
    with ProcessPoolExecutor(processes, initializer=_begin, initargs=(groups,)) as pool:
        found = list(pool.map(_predict, reversed(numbers)))
    errors = Errors.joined(one for one, _ in found)
    seconds = [took for _, took in found]
    table = _table(errors)
    table.notes.append(
        f"{len(errors.left_s)} predictions in {len(numbers) * len(groups)} runs; "
        f"a fit with its calibration took {np.median(seconds):.1f} s of CPU time (median), "
        f"{max(seconds):.1f} s at most. {PUBLISHED}."
    )
    return [table]


def _group(runs: list[Application], phases: list[str]) -> _Group:
    rows = Rows.of(runs)
    starts = np.array([run.start_s or 0.0 for run in runs])
    return _Group(tuple(runs), tuple(phases), rows, np.searchsorted(starts, rows.starts_s) + 1)


_groups: list[_Group] = []


def _begin(groups: list[_Group]) -> None:
    _groups[:] = groups


def _predict(number: int) -> tuple[Errors, float]:
    """The runs with this number, from all with lower ones; and the CPU seconds of the fit."""
    began = time.process_time()
    known = [group.rows.where(group.number < number) for group in _groups]
    stacked = Rows(*(np.concatenate([getattr(rows, f.name) for rows in known]) for f in fields(Rows)))
    boosted = Boosted.fit(stacked)
    took = time.process_time() - began
    assert boosted is not None
    return Errors.joined(_run(boosted, group, number) for group in _groups), took


def _run(boosted: Boosted, group: _Group, number: int) -> Errors:
    rows = group.rows.where(group.number == number)
    forecasts = boosted.predict(rows.features, rows.usual_s)
    left = rows.left_s
    run, before = group.runs[number - 1], group.runs[: number - 1]
    in80 = [one.low80_s <= true <= one.high80_s for one, true in zip(forecasts, left, strict=True)]
    in90 = [one.low90_s <= true <= one.high90_s for one, true in zip(forecasts, left, strict=True)]
    return Errors(
        left_s=left,
        ours_s=np.array([one.median_s for one in forecasts]),
        slowdown_s=_slowdown(run, before)[: len(left)],
        ellis_s=_ellis(run, before)[: len(left)],
        in80=np.array(in80, float),
        in90=np.array(in90, float),
        anomalous=np.full(len(left), float(group.phases[number - 1] == "anomalous")),
        has_scale_out=np.full(len(left), float(run.jobs[0].start_scale_out is not None)),
    )


def _slowdown(run: Application, before: tuple[Application, ...]) -> Floats:
    course = Course.of(run)
    others = [each for each in map(Course.of, before) if each is not None and each.total_s is not None]
    assert course is not None
    found = []
    for place in range(len(course.elapsed_s) - 1):
        longer = [each for each in others if len(each.elapsed_s) > place + 1]
        usual = np.median([each.elapsed_s[place] for each in longer])
        left = np.median([(each.total_s or 0.0) - each.elapsed_s[place] for each in longer])
        found.append(left * course.elapsed_s[place] / usual)
    return np.array(found)


def _ellis(run: Application, before: tuple[Application, ...]) -> Floats:
    """At the scale-out that the run has after each job; it supposes that this is kept."""
    ellis = Ellis.fit(before)
    jobs = sorted(run.jobs, key=lambda job: job.end_s or 0.0)
    found = []
    for ended in range(1, len(jobs)):
        done = [job.job_id for job in jobs[:ended]]
        found.append(float(ellis.remaining(done, [float(jobs[ended - 1].end_scale_out or 1)])[0]))
    return np.array(found)


def _table(errors: Errors) -> Table:
    table = Table(
        f"Remaining run time after each job, rolling origin, runs {FIRST}-{LAST}",
        ("runs", "model", "mean absolute error s", "mean relative error %", "in 80 %", "in 90 %", ""),
    )
    chosen = {
        "all": np.ones(len(errors.left_s), bool),
        "normal": errors.anomalous == 0,
        "with failures": errors.anomalous == 1,
        "scale-outs known": errors.has_scale_out == 1,
    }
    for name, where in chosen.items():
        some = errors.where(where)
        for model, said in (
            ("boosted trees", some.ours_s),
            ("median x slowdown", some.slowdown_s),
            ("Ellis", some.ellis_s),
        ):
            away = np.abs(said - some.left_s)
            ours = model == "boosted trees"
            held = [f"{100 * float(inside.mean()):.1f}" if ours else "" for inside in (some.in80, some.in90)]
            verdict = ""
            if ours and name == "all":
                verdict = "reached" if away.mean() <= REACH_S else "MISSED"
                verdict += ", " + ("in 87-93 %" if 0.87 <= some.in90.mean() <= 0.93 else "MISSED 87-93 %")
            table.add(name, model, f"{away.mean():.1f}", f"{100 * (away / some.left_s).mean():.1f}", *held, verdict)
    return table
