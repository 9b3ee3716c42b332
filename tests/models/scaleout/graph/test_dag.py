"""Which stages of a job ran, in which order they could, and how long the job has to take."""

from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.graph.dag import Graph, longest_path, scale_outs
from models.scaleout.records import JobExecution, Stage
from tests.models.scaleout.graph.synthetic import made_run


def stage(stage_id: int, *parents: int, skipped: bool = False) -> Stage:
    times = (None, None) if skipped else (0.0, 1.0)
    return Stage(stage_id, f"stage {stage_id}", parents=parents, start_s=times[0], end_s=times[1])


def job(*stages: Stage) -> JobExecution:
    return JobExecution(0, stages={one.stage_id: one for one in stages})


def test_each_stage_comes_after_those_that_it_needs() -> None:
    graph = Graph.of(job(stage(1, 3), stage(2, 1, 3), stage(3)))
    assert [one.stage_id for one in graph.stages] == [3, 1, 2]
    assert graph.parents == ((), (0,), (1, 0))
    assert graph.levels == (0, 1, 2)


def test_a_skipped_stage_is_left_out_and_nobody_waits_for_it() -> None:
    graph = Graph.of(job(stage(1, skipped=True), stage(2, 1)))
    assert [one.stage_id for one in graph.stages] == [2]
    assert graph.parents == ((),)


def test_a_parent_of_another_job_and_a_circle_hold_nothing_up() -> None:
    graph = Graph.of(job(stage(1, 2, 99), stage(2, 1)))
    assert sorted(one.stage_id for one in graph.stages) == [1, 2]
    assert len(graph.levels) == 2


def test_a_job_takes_its_longest_path() -> None:
    times = np.array([[1.0, 5.0], [4.0, 1.0], [2.0, 2.0]])
    assert longest_path(times, ((), (), (0, 1))).tolist() == [6.0, 7.0]


def test_a_stage_without_scale_out_has_that_of_its_job_or_its_run() -> None:
    run = replace(made_run(scale_out=3))
    one = replace(run.jobs[0], start_scale_out=None, end_scale_out=4)
    assert scale_outs(run, one, stage(1)) == (3, 4)


@pytest.mark.parametrize("told", [None, 0, -2])
def test_without_any_scale_out_there_is_one_executor(told: int | None) -> None:
    run = replace(made_run(), start_scale_out=told)
    assert scale_outs(run, JobExecution(0, start_scale_out=told), stage(1)) == (1, 1)
