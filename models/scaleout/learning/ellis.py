"""Ellis: a curve of its own for each job of a run; what is left of a run is the sum over the jobs to come.

Thamsen et al., "Ellis: Dynamically Scaling Distributed Dataflows to Meet Runtime Targets", CloudCom 2017. Learnt are
pairs of what scale-out a job really had and how long it took, from jobs that were not rescaled while they ran; a
published port passed on the scale-out from before a change, matched history on the target and summed up the past as
well. A job's time is counted from the end of the one before, so that what lies between jobs is in the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.learning.bell import Bell
from models.scaleout.learning.intervals import Spread
from models.scaleout.records import Application, Forecast

Floats = NDArray[np.float64]

NAME, ONE_RUN, MEANS = "ellis", "ellis-of-1-run", "ellis-of-1-scale-out"
# In a share of the runs smaller than this a job is an accident.
_USUAL = 0.5
_SHORTEST_S = 1e-3
# Of a model that no second run has tested: half or twice.
_UNTESTED = Spread.normal()
_UNTESTED_DEVIATION = 0.45


@dataclass(frozen=True)
class Step:
    """A finished job of a run: how long after the end of the one before it ended, and its scale-out all along."""

    job_id: int
    took_s: float
    scale_out: float | None


def steps(run: Application) -> list[Step]:
    """The finished jobs in the order of their ends; None for a scale-out that is unknown or changed on the way."""
    ended = sorted((job for job in run.jobs if job.end_s is not None), key=lambda job: (job.end_s or 0.0, job.job_id))
    started = [job.start_s for job in ended if job.start_s is not None]
    before = run.start_s if run.start_s is not None else min(started, default=None)
    found = []
    for job in ended:
        end = job.end_s or 0.0
        constant = job.end_scale_out in (None, job.start_scale_out) and job.rescaling_time_ratio == 0.0
        scale_out = float(job.start_scale_out) if job.start_scale_out and constant else None
        if before is not None:
            found.append(Step(job.job_id, max(end - before, _SHORTEST_S), scale_out))
        before = end
    return found


@dataclass(frozen=True)
class Ellis:
    """Curves of the jobs of one application.

    Attributes
    ----------
    curves : by job id, of the jobs that usually occur.
    """

    name: str
    curves: dict[int, Bell]
    spread: Spread
    deviation: float

    @classmethod
    def fit(cls, history: Sequence[Application]) -> "Ellis":
        """
        Parameters
        ----------
        history : ended runs that can be compared job by job: of one algorithm and signature.

        Raises
        ------
        ValueError
            No run has a finished job.
        """
        runs = [found for run in history if (found := steps(run))]
        if not runs:
            raise ValueError("Ellis needs a run with a finished job to learn from.")
        curves = _curves(runs)
        if len(runs) == 1:
            return cls(ONE_RUN, curves, _UNTESTED, _UNTESTED_DEVIATION)
        scale_outs = {step.scale_out for run in runs for step in run if step.scale_out}
        name = NAME if len(scale_outs) > 1 else MEANS
        # Each half of the runs is predicted from the other, else the errors were those of what is known already.
        errors = [
            error
            for half in (0, 1)
            for error in _errors(_curves(runs[1 - half :: 2]), runs[half::2])
            if error is not None
        ]
        return cls(name, curves, Spread.of(errors), 1.0)

    def remaining(self, finished: Sequence[int], scale_outs: Sequence[float]) -> Floats:
        """(m,) seconds that the jobs but the finished ones take at each scale-out."""
        done, asked = set(finished), np.asarray(scale_outs, float)
        left = [curve.predict(asked) for job_id, curve in self.curves.items() if job_id not in done]
        return np.sum(left, axis=0) if left else np.zeros(asked.shape)

    def predict(self, run: Application, scale_outs: Sequence[float]) -> list[Forecast]:
        """What is left of the run, after its finished jobs, at each scale-out."""
        left = self.remaining([job.job_id for job in run.jobs if job.end_s is not None], scale_outs)
        return self.spread.forecasts(np.log(np.maximum(left, _SHORTEST_S)), self.deviation, self.name)


def _curves(runs: Sequence[Sequence[Step]]) -> dict[int, Bell]:
    by_job: dict[int, list[Step]] = {}
    for run in runs:
        for step in run:
            by_job.setdefault(step.job_id, []).append(step)
    curves = {}
    for job_id, found in by_job.items():
        if len(found) < _USUAL * len(runs):
            continue
        if known := [step for step in found if step.scale_out]:
            curves[job_id] = Bell.fit([step.scale_out or 1.0 for step in known], [step.took_s for step in known])
        else:
            # At which scale-outs is unknown, so that they are taken for one.
            curves[job_id] = Bell.fit(np.ones(len(found)), [step.took_s for step in found])
    return curves


def _errors(curves: dict[int, Bell], runs: Sequence[Sequence[Step]]) -> list[float | None]:
    """ln(true / predicted) of what each run took in the jobs that have a curve, at the scale-outs that it had."""
    found: list[float | None] = []
    for run in runs:
        known = [step for step in run if step.job_id in curves]
        predicted = sum(float(curves[step.job_id].predict([step.scale_out or 1.0])[0]) for step in known)
        found.append(float(np.log(sum(step.took_s for step in known) / predicted)) if predicted > 0 else None)
    return found
