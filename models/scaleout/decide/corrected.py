"""Curves of each job's time by scale-out, corrected on the run that is under way.

Each job has a local-linear regression of ln t on ln x whose slope is drawn to the job's own over all scale-outs, and
that to a prior, so that one run is enough to answer and many are followed closely. What is left of a run is the sum
over the jobs to come, times a factor: how much longer the runs of the past took than their curves said, given how slow
they had been until the same job (ridge regression). The intervals are the quantiles of what this left unexplained, each
run of the past predicted without itself; they widen away from the scale-outs that have been tried. Recent runs count
more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.scaleout.decide.plan import ByJob, Remaining
from models.scaleout.records import Application, Forecast, JobExecution

Floats = NDArray[np.float64]

# In ln x: the width of the neighbourhood, and what a run anywhere else still counts.
_BANDWIDTH, _FLOOR = 0.12, 0.01
# Slope of ln t over ln x that is supposed before anything is seen, in how many runs' worth; 0 is no gain, -1 full gain.
_SLOPE, _SLOPE_WEIGHT = -0.3, 2.0
# After so many runs one counts 1/e.
_MEMORY = 15.0
_LOOK_BACK = 80
# Of the regression on slowness: prior weights of its two coefficients, in runs, and what they are drawn to.
_CARRY, _CARRY_WEIGHT = (0.3, 0.2), 4.0
# Deviation of ln t that is supposed of runs before any was seen, and of a way of 1 in ln x from known scale-outs.
_SPREAD, _SPREAD_WEIGHT, _AWAY = 0.2, 3.0, 0.5
_LONGEST = 1.0
_SCORES = np.array([NormalDist().inv_cdf(p) for p in (0.05, 0.1, 0.5, 0.9, 0.95)])
_SHARES = np.array([0.05, 0.1, 0.5, 0.9, 0.95])


@dataclass(frozen=True)
class Progress:
    """What is known of a run under way.

    Parameters
    ----------
    job_id : of the job that ended last.
    elapsed_s : from the run's start to the end of that job.
    runtimes_s, scale_outs : of the jobs that have ended, by id.
    """

    job_id: int
    elapsed_s: float
    runtimes_s: Mapping[int, float] = field(default_factory=dict)
    scale_outs: Mapping[int, float] = field(default_factory=dict)

    @property
    def spent_minutes(self) -> float:
        """Executor-minutes of the jobs that have ended."""
        return sum(self.scale_outs.get(job, 0.0) * time_s for job, time_s in self.runtimes_s.items()) / 60.0

    @classmethod
    def of(cls, run: Application) -> "Progress | None":
        """What `run` tells so far; None before a job has ended."""
        ended = [job for job in run.jobs if job.runtime_s is not None and job.end_s is not None]
        if not ended:
            return None
        last = max(ended, key=lambda job: job.end_s or 0.0)
        begun = run.start_s if run.start_s is not None else min(job.start_s or 0.0 for job in ended)
        known = [(job, used(job)) for job in ended]
        return cls(
            max(job.job_id for job in ended),
            max(0.0, (last.end_s or 0.0) - begun),
            {job.job_id: job.runtime_s or 0.0 for job in ended},
            {job.job_id: at for job, at in known if at is not None},
        )


def used(job: JobExecution) -> float | None:
    """The scale-out that a job ran with: between that at its start and its end, by the time the change took of it.

    So the time that past jobs waited for executors is told by fewer executors, not by slower ones, and is in no curve:
    `Rescaling` counts it once, for a change to come. What is counted twice are the seconds that executors took to warm
    up in past runs that were rescaled: some two in a run, within its noise, and on the side of caution.
    """
    if job.start_scale_out is None or job.end_scale_out is None:
        return job.start_scale_out or job.end_scale_out
    start, end = float(job.start_scale_out), float(job.end_scale_out)
    return end + (start - end) * min(1.0, max(0.0, job.rescaling_time_ratio))


@dataclass(frozen=True)
class Corrected:
    """Fitted to the runs of one kind.

    Attributes
    ----------
    job_ids : (n_jobs,) that such a run has.
    X, L, W : (n_runs, n_jobs) ln scale-out, ln seconds and weight, which is 0 where a run has no such job.
    slopes : (n_jobs,) over all scale-outs.
    ahead, slow : (n_runs, n_jobs + 1) and (2, n_runs, n_jobs + 1): before each job, the logarithm of how much longer
        the rest took than the curves said without that run; and how much longer all until then, and the last three.
    """

    job_ids: tuple[int, ...]
    X: Floats
    L: Floats
    W: Floats
    slopes: Floats
    ahead: Floats
    slow: Floats
    # Curves do not change from job to job, but are asked for after each.
    _kept: dict[tuple[float, ...], tuple[Floats, Floats]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"job curves of {len(self.X)} run{'' if len(self.X) == 1 else 's'}, corrected on this run"

    @classmethod
    def fit(cls, history: Sequence[Application]) -> "Corrected":
        """
        Parameters
        ----------
        history : finished runs of the same, in the order of time.

        Raises
        ------
        ValueError
            No run has a job whose time and scale-out are known.
        """
        runs = [run for run in map(_known, history[-_LOOK_BACK:]) if run]
        if not runs:
            raise ValueError("no finished run with times and scale-outs of its jobs is known")
        counts: dict[int, int] = {}
        for run in runs:
            for job_id in run:
                counts[job_id] = counts.get(job_id, 0) + 1
        job_ids = tuple(sorted(job_id for job_id, count in counts.items() if 2 * count >= len(runs)))
        shape = (len(runs), len(job_ids))
        X, L, W = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        memory = np.exp(-np.arange(len(runs))[::-1] / _MEMORY)
        for row, run in enumerate(runs):
            for column, job_id in enumerate(job_ids):
                if job_id in run:
                    X[row, column], L[row, column] = np.log(run[job_id])
                    W[row, column] = memory[row]
        return _fitted(job_ids, X, L, W)

    def curves(self, scale_outs: Sequence[float]) -> tuple[Floats, Floats]:
        """(m, n_jobs) ln seconds of each job, and how far, in ln x, each is from what was tried."""
        key = tuple(scale_outs)
        if key not in self._kept:
            at = np.repeat(np.log(np.asarray(scale_outs, float))[:, None], len(self.job_ids), 1)
            self._kept[key] = self._at(at)
        return self._kept[key]

    def remaining(self, progress: Progress | None = None) -> Remaining:
        """What is left after `progress`; the whole run without it."""
        return lambda scale_outs: self._forecasts(scale_outs, progress)

    def by_job(self, progress: Progress | None = None) -> ByJob:
        """The jobs that are left, each with its median time."""

        def jobs(scale_out: int) -> list[tuple[int, float]]:
            begin = self._begin(progress)
            (levels,) = np.exp(self.curves([scale_out])[0])
            left = float(levels[begin:].sum())
            (forecast,) = self._forecasts([scale_out], progress)
            factor = forecast.median_s / left if left > 0 else 0.0
            return [
                (job_id, float(level * factor))
                for job_id, level in zip(self.job_ids[begin:], levels[begin:], strict=True)
            ]

        return jobs

    def _begin(self, progress: Progress | None) -> int:
        """The column of the first job to come."""
        return 0 if progress is None else int(np.searchsorted(self.job_ids, progress.job_id, side="right"))

    def _at(self, at: Floats) -> tuple[Floats, Floats]:
        levels = _local(at, self.X, self.L, self.W, self.slopes)
        gaps = np.where(self.W[None] > 0, np.abs(self.X[None] - at[:, None]), np.inf)
        return levels, gaps.min(1)

    def _forecasts(self, scale_outs: Sequence[int], progress: Progress | None) -> list[Forecast]:
        begin = self._begin(progress)
        if begin == len(self.job_ids):
            return [Forecast(0.0, 0.0, 0.0, 0.0, 0.0, self.name) for _ in scale_outs]
        levels, away = self.curves(scale_outs)
        times = np.exp(levels[:, begin:])
        total = times.sum(1)
        distance = (times * away[:, begin:]).sum(1) / total
        centre, unexplained = self._factor(begin, progress)
        wider = np.sqrt(unexplained[None, :] ** 2 + (_AWAY * distance[:, None] * _SCORES[None, :]) ** 2)
        logs = np.log(total)[:, None] + centre + np.sign(_SCORES) * wider
        logs[:, 2] = np.log(total) + centre + unexplained[2]
        low90, low80, median, high80, high90 = np.sort(np.exp(logs), 1).T
        return [
            Forecast(float(m), float(l80), float(h80), float(l90), float(h90), self.name)
            for m, l80, h80, l90, h90 in zip(median, low80, high80, low90, high90, strict=True)
        ]

    def _factor(self, begin: int, progress: Progress | None) -> tuple[float, Floats]:
        """Logarithm of the factor on what is left, and the five quantiles of what it leaves unexplained."""
        weight, ahead = self.W[:, -1] * np.isfinite(self.ahead[:, begin]), np.nan_to_num(self.ahead[:, begin])
        slow = np.nan_to_num(self.slow[:, :, begin])
        carry = np.array(_CARRY)
        if begin:
            centred = ahead - slow.T @ carry
            gram = (slow * weight) @ slow.T + _CARRY_WEIGHT * 0.03 * np.eye(2)
            carry = carry + np.linalg.solve(gram, (slow * weight) @ centred)
        rest = ahead - slow.T @ carry if begin else ahead
        now = self._slow_now(begin, progress) if progress is not None and begin else np.zeros(2)
        count = float(weight.sum() ** 2 / max((weight**2).sum(), 1e-12))
        if count < 1:
            return float(now @ carry), _SPREAD * 1.5 * _SCORES
        level = float((weight * rest).sum() / weight.sum()) * count / (count + 1)
        rest = rest - level
        variance = (count * (weight * rest**2).sum() / weight.sum() + _SPREAD_WEIGHT * _SPREAD**2) / (
            count + _SPREAD_WEIGHT
        )
        normal = np.sqrt(variance) * _SCORES * (1 + 1 / (count + 2))
        order = np.argsort(rest)
        cumulative = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
        empirical = np.interp(_SHARES, cumulative, rest[order])
        trust = count / (count + 10)
        return level + float(now @ carry), trust * empirical + (1 - trust) * normal

    def _slow_now(self, begin: int, progress: Progress) -> Floats:
        scale_outs = [progress.scale_outs.get(job_id) for job_id in self.job_ids[:begin]]
        known = [at for at in scale_outs if at]
        usual = float(np.median(known)) if known else float(np.exp(np.median(self.X)))
        at = np.log([at or usual for at in scale_outs])[None, :]
        filled = np.zeros((1, len(self.job_ids)))
        filled[:, :begin] = at
        expected = np.exp(self._at(filled)[0][0, :begin])
        taken = np.array([progress.runtimes_s.get(job_id, np.nan) for job_id in self.job_ids[:begin]])
        taken = np.where(np.isnan(taken), expected, taken)
        late = np.array([progress.elapsed_s / expected.sum(), taken[-3:].sum() / expected[-3:].sum()])
        slowness: Floats = np.clip(np.log(np.maximum(late, 1e-6)), -_LONGEST, _LONGEST)
        return slowness


def _known(run: Application) -> dict[int, tuple[float, float]]:
    """(scale-out, seconds) by job."""
    found = {}
    for job in run.jobs:
        at, time_s = used(job), job.runtime_s
        if at and time_s is not None:
            found[job.job_id] = (at, max(time_s, 0.01))
    return found


def _fitted(job_ids: tuple[int, ...], X: Floats, L: Floats, W: Floats) -> Corrected:
    total = W.sum(0)
    mean_x, mean_l = (W * X).sum(0) / total, (W * L).sum(0) / total
    dx, dl = X - mean_x, L - mean_l
    # A run's worth of the prior is one at a distance of 0.3 in ln x, about a third more executors.
    prior = _SLOPE_WEIGHT * 0.3**2
    slopes = ((W * dx * dl).sum(0) + prior * _SLOPE) / ((W * dx**2).sum(0) + prior)
    rows, columns = X.shape
    ahead, slow = np.full((rows, columns + 1), np.nan), np.full((2, rows, columns + 1), np.nan)
    if rows >= 3:
        expected = np.exp(_local(X, X, L, W, slopes, without_self=True))
        there = W > 0
        expected, taken = np.where(there, expected, 0.0), np.where(there, np.exp(L), 0.0)
        sums = [np.concatenate([np.zeros((rows, 1)), np.cumsum(part, 1)], 1) for part in (taken, expected)]
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = np.log((sums[0][:, -1:] - sums[0]) / (sums[1][:, -1:] - sums[1]))
            slow[0] = np.log(sums[0] / sums[1])
            back = np.maximum(np.arange(columns + 1) - 3, 0)
            slow[1] = np.log((sums[0] - sums[0][:, back]) / (sums[1] - sums[1][:, back]))
        slow = np.clip(slow, -_LONGEST, _LONGEST)
        ahead[~np.isfinite(ahead)] = np.nan
    return Corrected(job_ids, X, L, W, slopes, ahead, slow)


def _local(at: Floats, X: Floats, L: Floats, W: Floats, slopes: Floats, *, without_self: bool = False) -> Floats:
    """(m, n_jobs) ln seconds at `at` (m, n_jobs); `without_self` leaves run i out at row i."""
    D = X[None] - at[:, None]
    weight = (np.exp(-0.5 * (D / _BANDWIDTH) ** 2) + _FLOOR) * W[None]
    if without_self:
        rows = np.arange(len(X))
        weight[rows, rows] = 0.0
    # The median of the neighbourhood would jump; a first level and Huber weights around it do not.
    levels = _line(D, L, weight, slopes)
    away = np.abs(L[None] - levels[:, None] - slopes * D)
    typical = np.maximum(1.5 * (weight * away).sum(1) / np.maximum(weight.sum(1), 1e-12), 0.02)[:, None]
    return _line(D, L, weight * np.minimum(1.0, typical / np.maximum(away, 1e-9)), slopes)


def _line(D: Floats, L: Floats, weight: Floats, slopes: Floats) -> Floats:
    total = np.maximum(weight.sum(1), 1e-12)
    mean_d, mean_l = (weight * D).sum(1) / total, (weight * L[None]).sum(1) / total
    dd = D - mean_d[:, None]
    prior = _SLOPE_WEIGHT * _BANDWIDTH**2
    spread = (weight * dd**2).sum(1) + prior
    slope = ((weight * dd * (L[None] - mean_l[:, None])).sum(1) + prior * slopes) / spread
    levels: Floats = mean_l - slope * mean_d
    return levels
