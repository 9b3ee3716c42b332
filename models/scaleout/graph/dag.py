"""The stages of a job as a graph: which ran, in which order they could, and how long the longest way through is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.records import Application, JobExecution, Stage

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Graph:
    """The stages that ran, each after those that it needs.

    Attributes
    ----------
    parents : places in `stages` of those that each needs; a skipped stage is needed by nobody.
    levels : of each stage, the longest way to it from a stage that needs none.
    """

    stages: tuple[Stage, ...]
    parents: tuple[tuple[int, ...], ...]
    levels: tuple[int, ...]

    @classmethod
    def of(cls, job: JobExecution) -> "Graph":
        """Where the parents go in a circle, which no Spark job's do, what closes it is left out."""
        left = {stage.stage_id: stage for _, stage in sorted(job.stages.items()) if stage.runtime_s is not None}
        places: dict[int, int] = {}
        stages: list[Stage] = []
        parents: list[tuple[int, ...]] = []
        levels: list[int] = []
        while left:
            ready = [stage for stage in left.values() if not any(parent in left for parent in stage.parents)]
            for stage in ready or [next(iter(left.values()))]:
                needed = tuple(places[parent] for parent in dict.fromkeys(stage.parents) if parent in places)
                places[stage.stage_id] = len(stages)
                stages.append(stage)
                parents.append(needed)
                levels.append(1 + max((levels[place] for place in needed), default=-1))
                del left[stage.stage_id]
        return cls(tuple(stages), tuple(parents), tuple(levels))

    def __len__(self) -> int:
        return len(self.stages)


def longest_path(times: Floats, parents: Sequence[tuple[int, ...]]) -> Floats:
    """(...,) seconds from the first start to the last end, of stages that take `times` (n, ...)."""
    ends = np.empty_like(times)
    for place, needed in enumerate(parents):
        ends[place] = times[place] + (ends[list(needed)].max(axis=0) if needed else 0.0)
    longest: Floats = ends.max(axis=0)
    return longest


def ordered(run: Application) -> list[JobExecution]:
    """The jobs of a run by their number."""
    return sorted(run.jobs, key=lambda job: job.job_id)


def scale_outs(run: Application, job: JobExecution, stage: Stage) -> tuple[int, int]:
    """Executors at a stage's start and end; what is not told is that of the job, else of the run, else 1."""
    start = _first(stage.start_scale_out, job.start_scale_out, run.start_scale_out, stage.end_scale_out)
    end = _first(stage.end_scale_out, job.end_scale_out, stage.start_scale_out, start)
    return start, end


def _first(*found: int | None) -> int:
    return next((number for number in found if number is not None and number > 0), 1)
