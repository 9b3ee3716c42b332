"""How far a run has come, compared with the runs before it: numbers that tell how long it will still take.

All are ratios to the median of the runs before, or logarithms of such, so that what is learnt of one application holds
for others. None knows the target. Runs are compared by how many of their jobs have ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.learning.ellis import steps
from models.scaleout.records import Application

Floats = NDArray[np.float64]

NAMES = (
    "elapsed",
    "last_job",
    "last_6_jobs",
    "last_2_jobs",
    "jobs_before_last",
    "nearest_by_elapsed",
    "near_by_elapsed",
    "nearest_by_jobs",
    "near_by_jobs",
    "last_5_runs",
    "last_3_runs",
    "last_run",
    "history_10",
    "history_25",
    "history_75",
    "history_90",
    "share_of_jobs",
    "median_remaining",
    "share_elapsed",
    "runs_before",
    "idle_share",
)
# Of the runs before, how many are compared with; how fast they are forgotten (in runs); widths of nearness (ln).
_MOST_RUNS, _MEMORY, _NEAR_ELAPSED, _NEAR_JOBS = 100, 12.0, 0.08, 0.25
_WINDOW = 6
_SHORTEST_S = 0.05


@dataclass(frozen=True)
class Course:
    """A run as the ends of its jobs.

    Attributes
    ----------
    elapsed_s : (n,) from the start of the run to the end of each finished job.
    jobs_s : (n,) what each took, from its own start.
    total_s : of the run until the end of its last job; None while it goes on.
    """

    elapsed_s: Floats
    jobs_s: Floats
    total_s: float | None

    @classmethod
    def of(cls, run: Application) -> "Course | None":
        """None where no job has ended."""
        found = steps(run)
        if not found:
            return None
        times = {job.job_id: job.runtime_s for job in run.jobs}
        elapsed = np.cumsum([step.took_s for step in found])
        jobs = np.array([times[step.job_id] or step.took_s for step in found], float)
        return cls(elapsed, jobs, float(elapsed[-1]) if run.end_s is not None else None)


def compare(course: Course, ended: int, before: Sequence[Course]) -> tuple[Floats, float] | None:
    """After `ended` jobs (at least 1): the features (n_features,), and the median of what was left of those before (s).

    None where no run before had more jobs than that.
    """
    at = ended - 1
    longer = [
        (run, run.total_s) for run in before[-_MOST_RUNS:] if run.total_s is not None and len(run.elapsed_s) > ended
    ]
    if not longer:
        return None
    elapsed = np.array([run.elapsed_s[at] for run, _ in longer])
    left = np.maximum([total - run.elapsed_s[at] for run, total in longer], _SHORTEST_S)
    first = max(0, ended - _WINDOW)
    jobs = np.maximum([run.jobs_s[first:ended] for run, _ in longer], _SHORTEST_S)
    own_jobs = np.maximum(course.jobs_s[first:ended], _SHORTEST_S)
    usual_jobs, usual_elapsed, usual_left = np.median(jobs, axis=0), float(np.median(elapsed)), float(np.median(left))
    own_elapsed = float(course.elapsed_s[at])

    recency = np.exp(-np.arange(len(longer))[::-1] / _MEMORY)
    order = np.argsort(left)

    def nearest(distance: Floats) -> tuple[float, float]:
        """The weighted median of what was left of runs at these distances, and how many were near."""
        weight = np.exp(-0.5 * distance**2) * recency + 1e-9
        total = np.cumsum(weight[order])
        middle = min(int(np.searchsorted(total, 0.5 * total[-1])), len(order) - 1)
        return float(np.log(left[order][middle] / usual_left)), float(total[-1])

    def slower(jobs_until: slice) -> float:
        return float(np.log(max(own_jobs[jobs_until].sum(), 0.1) / max(usual_jobs[jobs_until].sum(), 0.1)))

    by_elapsed = nearest(np.log(elapsed / own_elapsed) / _NEAR_ELAPSED)
    last = slice(-3, None)
    apart = np.log(np.maximum(jobs[:, last], 0.5)) - np.log(np.maximum(own_jobs[last], 0.5))
    by_jobs = nearest(np.sqrt((apart**2).mean(1)) / _NEAR_JOBS)
    recent = np.log(left[-3:] / usual_left)
    count = float(np.median([len(run.elapsed_s) for run, _ in longer]))
    row = [
        np.log(own_elapsed / usual_elapsed),
        slower(slice(-1, None)),
        slower(slice(None)),
        slower(slice(-2, None)),
        slower(slice(-3, -1)) if len(own_jobs) > 2 else 0.0,
        *by_elapsed,
        *by_jobs,
        np.log(np.median(left[-5:]) / usual_left),
        recent.mean(),
        recent[-1],
        *np.log(np.quantile(left, [0.1, 0.25, 0.75, 0.9]) / usual_left),
        ended / count,
        np.log(usual_left),
        np.log(usual_elapsed / (usual_elapsed + usual_left)),
        len(longer),
        (own_elapsed - course.jobs_s[:ended].sum()) / own_elapsed,
    ]
    return np.array(row), usual_left
