"""How long the recorded Spark runs would have taken with other numbers of executors: the ground truth of the simulator.

Only the runs of the published Ellis port say how many executors a job had. They say it reliably in profiling runs and
until the first change within a run: the port asked for the number it had before, one change late, and recorded the new
one. `Setting.rows` tells which rows are used: `reliable`, the rest of a run being that of a run with like times until
there; or `shifted`, all rows, with the numbers that the port really asked for by its source. A curve for each job is
fitted to the profiling and normal runs; what is left of each real run, as factors on the times of its jobs, is
replayed. A failure is a job of an anomalous run, of either method, that takes longer than its neighbours did.
"""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.scaleout.learning.ernest import Ernest

Floats = NDArray[np.float64]

LOW, HIGH = 4, 36
SCALE_OUTS = np.arange(LOW, HIGH + 1)
# A failure: so much longer than usual, and so many seconds at least.
_SPIKE, _SPIKE_S = 1.4, 3.0
_NEIGHBOURS = 5
# No factor beyond these is believed: e^2.5 is twelve times as long.
_CLIP = 2.5
_LIKE = 5
_SHORTEST_S = 0.05


@dataclass(frozen=True)
class Setting:
    """What is assumed of the truth.

    Parameters
    ----------
    curve : `monotone`, that more executors never take longer, or `ernest`.
    failures : whether a failure costs a `factor` of the job's time or `seconds`, whatever the scale-out.
    arrivals : factor on the real times until executors are there.
    warm_s : lost in the job during which executors join.
    """

    name: str
    rows: Literal["reliable", "shifted"]
    curve: Literal["monotone", "ernest"]
    failures: Literal["factor", "seconds"]
    arrivals: float
    warm_s: float


SETTINGS = (
    Setting("A", "reliable", "monotone", "factor", 1.0, 2.0),
    Setting("B", "shifted", "ernest", "seconds", 2.0, 6.0),
)


@dataclass(frozen=True)
class Run:
    """One recorded run: (n_jobs,) seconds and scale-outs, which are NaN where nobody tells them."""

    method: str
    number: int
    phase: str
    seconds: Floats
    scale_outs: Floats

    @property
    def prefix(self) -> int:
        """Jobs until the recorded scale-out changes."""
        changed = np.flatnonzero(self.scale_outs != self.scale_outs[0])
        return int(changed[0]) if changed.size else len(self.scale_outs)

    @property
    def shifted(self) -> Floats:
        """(n_jobs,) what the port asked for: at a change seen at job i, decided after job i - 2, the value before."""
        asked = self.scale_outs.copy()
        changes = np.flatnonzero(np.diff(self.scale_outs)) + 1
        for at in changes:
            asked[at - 1 :] = self.scale_outs[at - 1]
        return asked


@dataclass(frozen=True)
class Failure:
    """At a job (its index): `factor` times as long, `seconds` longer."""

    job: int
    factor: float
    seconds: float


@dataclass(frozen=True)
class Truth:
    """What runs of an algorithm take.

    Attributes
    ----------
    base_s : (n_jobs, n_scale_outs) without noise.
    profiling : the real runs to begin with.
    normal, anomalous : (n_runs, n_jobs) logarithms of factors on the jobs' times.
    failures : of each anomalous run.
    known : (n_runs of normal,) how many of its factors are its own.
    """

    algorithm: str
    target_s: float
    base_s: Floats
    profiling: tuple[Run, ...]
    normal: Floats
    anomalous: Floats
    failures: tuple[tuple[Failure, ...], ...]
    known: NDArray[np.int64]


def read(path: Path) -> dict[str, tuple[float, list[Run]]]:
    """Target in seconds and runs by algorithm."""
    rows: dict[tuple[str, str, int], list[tuple[int, float, float, str]]] = {}
    targets: dict[str, float] = {}
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            seconds = (datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"])).total_seconds()
            key = (row["algorithm"], row["method"], int(row["run"]))
            scale_out = float(row["scale_out"] or "nan")
            rows.setdefault(key, []).append((int(row["job_id"]), max(seconds, _SHORTEST_S), scale_out, row["phase"]))
            targets[row["algorithm"]] = 60.0 * float(row["target_min"])
    found: dict[str, tuple[float, list[Run]]] = {name: (target, []) for name, target in sorted(targets.items())}
    for (algorithm, method, number), jobs in sorted(rows.items()):
        jobs.sort()
        times, scale_outs = np.array([job[1] for job in jobs]), np.array([job[2] for job in jobs])
        found[algorithm][1].append(Run(method, number, jobs[0][3], times, scale_outs))
    return found


def truth(algorithm: str, target_s: float, runs: Sequence[Run], setting: Setting, rng: np.random.Generator) -> Truth:
    """The ground truth of one algorithm; `rng` picks the runs that stand in for what is not known of others."""
    jobs = max(len(run.seconds) for run in runs)
    whole = [run for run in runs if len(run.seconds) == jobs]
    told = [run for run in whole if run.method == "ellis"]
    profiling = [run for run in told if run.phase == "profiling"]
    normal = [run for run in told if run.phase == "normal"]
    usable = {run.number: _usable(run, setting) for run in told}
    base = np.array([_curve([*profiling, *normal], usable, job, setting.curve) for job in range(jobs)])
    rest = {run.number: _rest(run, usable[run.number], base) for run in told}
    failures, hit = _failures(whole)
    bad = [run for run in told if run.phase == "anomalous"]
    for run in bad:
        # Failures are replayed apart.
        rest[run.number] = rest[run.number] - hit[run.number]
    complete = [rest[run.number] for run in (*profiling, *normal) if np.isfinite(rest[run.number]).all()]
    weights = base[:, len(SCALE_OUTS) // 2]
    fill = [_filled(rest[run.number], complete, weights, rng) for run in (*normal, *bad)]
    known = np.array([int(np.isfinite(rest[run.number]).sum()) for run in normal])
    return Truth(
        algorithm,
        target_s,
        base,
        tuple(profiling),
        np.clip(fill[: len(normal)], -_CLIP, _CLIP),
        np.clip(fill[len(normal) :], -_CLIP, _CLIP),
        failures,
        known,
    )


def _usable(run: Run, setting: Setting) -> Floats:
    """(n_jobs,) scale-outs; NaN where they are not to be used."""
    if setting.rows == "shifted" and run.phase != "anomalous":
        return run.shifted
    return np.where(np.arange(len(run.seconds)) < run.prefix, run.scale_outs, np.nan)


def _curve(runs: Sequence[Run], usable: dict[int, Floats], job: int, kind: str) -> Floats:
    """(n_scale_outs,) seconds of a job."""
    x = np.array([usable[run.number][job] for run in runs])
    t = np.array([run.seconds[job] for run in runs])
    x, t = x[np.isfinite(x)], t[np.isfinite(x)]
    at, inverse = np.unique(x, return_inverse=True)
    middle = np.array([np.median(t[inverse == one]) for one in range(len(at))])
    count = np.bincount(inverse).astype(float)
    if kind == "ernest":
        # By the medians: one slow run at a rare scale-out should not bend the curve.
        return np.maximum(Ernest.fit(at, middle, weights=count).predict(SCALE_OUTS), _SHORTEST_S)
    from sklearn.isotonic import IsotonicRegression

    falling = IsotonicRegression(increasing=False).fit(np.log(at), np.log(middle), sample_weight=count)
    levels = np.exp(falling.predict(np.log(np.clip(SCALE_OUTS, at[0], at[-1]))))
    # Fewer than anybody tried: the same work for fewer hands.
    filled: Floats = levels * np.maximum(1.0, at[0] / SCALE_OUTS)
    return filled


def _rest(run: Run, scale_outs: Floats, base: Floats) -> Floats:
    """(n_jobs,) logarithms of real over expected time; NaN where the scale-out is not known."""
    column = np.nan_to_num(scale_outs, nan=LOW).astype(int).clip(LOW, HIGH) - LOW
    expected = base[np.arange(len(column)), column]
    return np.where(np.isfinite(scale_outs), np.log(run.seconds / expected), np.nan)


def _filled(rest: Floats, complete: Sequence[Floats], weights: Floats, rng: np.random.Generator) -> Floats:
    """What is not known of a run is what came after a start like its own in one of the five likest runs."""
    known = np.isfinite(rest)
    if known.all():
        return rest
    gap = [float((weights * np.abs(rest - other))[known].sum()) for other in complete]
    donor = complete[int(rng.choice(np.argsort(gap)[:_LIKE]))]
    return np.where(known, rest, donor)


def _failures(runs: Sequence[Run]) -> tuple[tuple[tuple[Failure, ...], ...], dict[int, Floats]]:
    """Of each anomalous run; and by number of those of the Ellis port, the logarithms they add to each job."""
    found: list[tuple[Failure, ...]] = []
    added: dict[int, Floats] = {}
    for method in ("ellis", "enel"):
        bad = [run for run in runs if run.method == method and run.phase == "anomalous"]
        usual = np.median(np.log([run.seconds for run in bad]), axis=0)
        for run in bad:
            above = np.log(run.seconds) - usual
            wide = np.pad(above, _NEIGHBOURS // 2, mode="edge")
            near = np.median(np.lib.stride_tricks.sliding_window_view(wide, _NEIGHBOURS), axis=1)
            jump = above - near
            seconds = run.seconds * (1 - np.exp(-jump))
            failed = (jump > np.log(_SPIKE)) & (seconds > _SPIKE_S)
            failures = [Failure(int(at), float(np.exp(jump[at])), float(seconds[at])) for at in np.flatnonzero(failed)]
            found.append(tuple(failures))
            if method == "ellis":
                added[run.number] = np.where(failed, jump, 0.0)
    return tuple(found), added
