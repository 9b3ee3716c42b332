"""Which jobs are still to come in a run, and how long it does none: as in the past run that is most like it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import Graph, ordered
from models.scaleout.graph.history import History, Seen, log_size
from models.scaleout.records import Application

Floats = NDArray[np.float64]


class TooLittleHistory(ValueError):
    """Past runs do not tell what is still to come; the text says why."""


@dataclass(frozen=True)
class Ahead:
    """What is still to come.

    Attributes
    ----------
    jobs : number and stages of each, as a past run had them.
    idle_s : (n_jobs,) seconds of each job, and before it, in which no stage runs.
    """

    jobs: tuple[tuple[int, Graph], ...]
    idle_s: Floats


def ended(run: Application) -> Application:
    """The run with those of its jobs alone that have ended."""
    return replace(run, jobs=[job for job in ordered(run) if job.end_s is not None])


def ahead(history: History, run: Application) -> Ahead:
    """
    Parameters
    ----------
    run : as `ended` gives it.

    Raises
    ------
    TooLittleHistory
        No past run of this algorithm was longer than this one is by now.
    """
    runs = [
        number
        for number, other in enumerate(history.runs)
        if other.context.algorithm == run.context.algorithm and other.execution_id != run.execution_id
    ]
    if not runs:
        raise TooLittleHistory(f"no past run of {run.context.algorithm or 'this algorithm'} is known")
    last = max((job.job_id for job in run.jobs), default=-1)
    longer = [number for number in runs if any(one.job.job_id > last for one in history.jobs[number])]
    if not longer:
        raise TooLittleHistory(f"no past run of {run.context.algorithm} had a job after number {last}")
    same = _most_alike(history, longer, run)
    jobs = [one for one in history.jobs[same[0]] if one.job.job_id > last]
    idle: dict[int, list[float]] = {}
    for number in same:
        for job_id, seconds in _idle_s(history.runs[number], history.jobs[number]):
            idle.setdefault(job_id, []).append(seconds)
    return Ahead(
        tuple((one.job.job_id, one.graph) for one in jobs),
        np.array([median(idle.get(one.job.job_id, [0.0])) for one in jobs]),
    )


def _most_alike(history: History, runs: Sequence[int], run: Application) -> list[int]:
    """Runs of the same signature and arguments where there are some; nearest in size first, then the latest."""
    size = log_size(run.context)

    def key(number: int) -> tuple[bool, bool, bool, float, float]:
        other = history.runs[number]
        away = abs(log_size(other.context) - size)
        return (
            bool(run.signature) and other.signature != run.signature,
            other.context.arguments != run.context.arguments,
            other.end_s is None,
            0.0 if np.isnan(away) else away,
            -(other.start_s or 0.0),
        )

    keys = {number: key(number) for number in runs}
    best = min(keys.values())
    return sorted((number for number in runs if keys[number][:3] == best[:3]), key=lambda number: keys[number])


def _idle_s(run: Application, jobs: Sequence[Seen]) -> Iterator[tuple[int, float]]:
    """For each job: from the end of the one before to its own, less its longest path."""
    before = run.start_s
    for one in jobs:
        job = one.job
        begin = job.start_s if before is None else before
        if job.end_s is not None and begin is not None:
            yield job.job_id, job.end_s - begin - one.path_s
        before = job.end_s
