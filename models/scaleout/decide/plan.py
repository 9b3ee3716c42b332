"""What was decided, and what it was chosen from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from models.scaleout.records import Forecast

Remaining = Callable[[Sequence[int]], Sequence[Forecast]]
"""The time that is left, in seconds, for each of the scale-outs asked for."""

ByJob = Callable[[int], Sequence[tuple[int, float]]]
"""(job id, seconds) of each job to come, for a scale-out."""


@dataclass(frozen=True)
class Choice:
    """What is expected of one scale-out.

    Parameters
    ----------
    forecast : of what is left, the change to this scale-out included.
    probability : of meeting the target.
    executor_minutes : of what is left, at the median.
    """

    scale_out: int
    forecast: Forecast
    probability: float
    executor_minutes: float


@dataclass(frozen=True)
class Plan:
    """A decision.

    Attributes
    ----------
    scale_out : from now on.
    scale_outs, runtimes_s : by job to come, (job id, executors) and (job id, seconds); empty where nothing is to say.
    probability : of meeting the target; None without a target.
    executor_minutes : of what is left.
    why : in words.
    model : the name of what predicted.
    choices : all that was considered.
    """

    scale_out: int
    probability: float | None
    executor_minutes: float | None
    why: str
    model: str
    scale_outs: tuple[tuple[int, int], ...] = ()
    runtimes_s: tuple[tuple[int, float], ...] = ()
    choices: tuple[Choice, ...] = ()

    def with_jobs(self, runtimes_s: Sequence[tuple[int, float]]) -> "Plan":
        """The same for these jobs to come."""
        scale_outs = tuple((job_id, self.scale_out) for job_id, _ in runtimes_s)
        return replace(self, scale_outs=scale_outs, runtimes_s=tuple(runtimes_s))

    def within(self, low: int, high: int) -> "Plan":
        """The same with no fewer and no more executors; a number that changes takes its forecasts along."""
        scale_out = min(max(self.scale_out, low), high)
        if scale_out == self.scale_out:
            return self
        jobs = tuple((job_id, min(max(at, low), high)) for job_id, at in self.scale_outs)
        return replace(self, scale_out=scale_out, scale_outs=jobs, probability=None, executor_minutes=None)

    def after(self, job_id: int, why: str) -> "Plan":
        """What is left of it once a job has ended, for want of anything newer."""
        return replace(
            self,
            scale_outs=tuple(pair for pair in self.scale_outs if pair[0] > job_id),
            runtimes_s=tuple(pair for pair in self.runtimes_s if pair[0] > job_id),
            why=why,
            choices=(),
            model=f"last plan ({self.model})" if not self.model.startswith("last plan") else self.model,
        )


def bounds(low: int, high: int) -> range:
    """The scale-outs that may be chosen.

    Raises
    ------
    ValueError
        There is none.
    """
    if low < 1 or high < low:
        raise ValueError(f"min_scale_out has to be at least 1 and at most max_scale_out, not {low} and {high}")
    return range(low, high + 1)
