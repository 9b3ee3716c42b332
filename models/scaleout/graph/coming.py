"""Which jobs are still to come in a run, and how long it does none: as in the past run that is most like it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import Graph, longest_path
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
    job_ids : as the past run had them, going on from the last one of this run.
    jobs : position in the run, and stages.
    idle_s : (n_jobs,) seconds of each job, and before it, in which no stage runs.
    """

    job_ids: tuple[int, ...]
    jobs: tuple[tuple[int, Graph], ...]
    idle_s: Floats


def ahead(history: History, run: Application) -> Ahead:
    """
    Raises
    ------
    TooLittleHistory
        No past run of this algorithm was longer than this one is by now.
    """
    finished = len(run.jobs)
    runs = [
        number
        for number, other in enumerate(history.runs)
        if other.context.algorithm == run.context.algorithm and other.execution_id != run.execution_id
    ]
    if not runs:
        raise TooLittleHistory(f"no past run of {run.context.algorithm or 'this algorithm'} is known")
    longer = [number for number in runs if len(history.jobs[number]) > finished]
    if not longer:
        raise TooLittleHistory(f"no past run of {run.context.algorithm} had more than {finished} jobs")
    same = _most_alike(history, longer, run)
    jobs = history.jobs[same[0]][finished:]
    idle = np.array([_idle_s(history, same, finished + place) for place in range(len(jobs))])
    last = max((job.job_id for job in run.jobs), default=None)
    offset = 0 if last is None else last + 1 - jobs[0].job.job_id
    return Ahead(
        tuple(one.job.job_id + offset for one in jobs),
        tuple((finished + place, one.graph) for place, one in enumerate(jobs)),
        idle,
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


def _idle_s(history: History, runs: Sequence[int], position: int) -> float:
    """Median over runs: from the end of the job before to this one's end, less its longest path."""
    found = [_idle_of(history.runs[number], history.jobs[number], position) for number in runs]
    told = [seconds for seconds in found if seconds is not None]
    return float(np.median(told)) if told else 0.0


def _idle_of(run: Application, jobs: Sequence[Seen], position: int) -> float | None:
    if position >= len(jobs):
        return None
    job = jobs[position].job
    before = jobs[position - 1].job.end_s if position else run.start_s
    if job.end_s is None or job.start_s is None:
        return None
    begin = job.start_s if before is None else before
    return job.end_s - begin - path_s(jobs[position])


def path_s(one: Seen) -> float:
    """Seconds of the longest path through a job's stages, as they were."""
    if not one.rows:
        return 0.0
    return float(longest_path(np.exp([row.log_s for row in one.rows]), one.graph.parents))
