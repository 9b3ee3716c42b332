"""Events come late, twice and in any order; what is known afterwards is the same."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scaleout.merge import merge_application, merge_job, merge_stage
from models.scaleout.records import Application, Context, JobExecution, Metrics, Stage
from models.scaleout.rows import application_of, job_of, job_told, told_of

START = {"application_id": "spark-1", "signature": "gbt", "start_s": 10.0, "start_scale_out": 4}
SUBMITTED = {"context": {"system": "spark", "algorithm": "gbt"}, "target_s": 60.0, "min_scale_out": 2}
END = {"end_s": 70.0, "end_scale_out": 6}


def stage(attempt: int = 0, **more: Any) -> dict[str, Any]:
    return {"stage_id": 1, "name": "map", "attempt": attempt, **more}


@pytest.mark.parametrize("order", [*itertools.permutations([START, SUBMITTED, END])])
def test_what_is_known_of_a_run_does_not_depend_on_the_order_of_its_events(order: tuple[dict[str, Any], ...]) -> None:
    known: dict[str, Any] = {}
    for event in order:
        known = merge_application(known, event)
    assert known == {**START, **SUBMITTED, **END}


def test_what_was_not_told_puts_nothing_out() -> None:
    assert merge_application(START, {"application_id": None, "start_s": None}) == START


def test_a_start_is_the_earliest_and_an_end_the_latest_that_was_told() -> None:
    known = merge_job({"job_id": 1, "start_s": 5.0, "end_s": 9.0}, {"job_id": 1, "start_s": 6.0, "end_s": 8.0})
    assert (known["start_s"], known["end_s"]) == (5.0, 9.0)


def test_of_different_words_that_of_the_later_end_counts() -> None:
    late, early = {"job_id": 1, "end_s": 9.0, "end_scale_out": 4}, {"job_id": 1, "end_s": 5.0, "end_scale_out": 2}
    assert merge_job(late, early)["end_scale_out"] == merge_job(early, late)["end_scale_out"] == 4


def test_of_a_stage_that_was_tried_again_the_latest_attempt_counts_however_they_arrive() -> None:
    failed, done = (merge_stage({}, one) for one in (stage(0, failure_reason="lost", end_s=9.0), stage(1, end_s=8.0)))
    assert merge_stage(failed, done) == merge_stage(done, failed) == done


def test_stages_of_a_job_are_put_together() -> None:
    known = merge_job({"job_id": 1, "stages": {"1": stage()}}, {"job_id": 1, "stages": {"2": stage()}})
    assert set(known["stages"]) == {"1", "2"}


def test_figures_of_a_stage_that_are_told_apart_are_put_together() -> None:
    known = merge_stage(stage(metrics={"gc_time_ratio": 0.1}), stage(metrics={"cpu_utilization": 0.5}))
    assert known["metrics"] == {"gc_time_ratio": 0.1, "cpu_utilization": 0.5}


def test_an_application_that_is_begun_anew_forgets_the_times_of_the_attempt_before() -> None:
    known = merge_application({**SUBMITTED, **START, "attempt_id": "1"}, {"attempt_id": "2", "start_s": 50.0})
    assert (known["start_s"], known["target_s"]) == (50.0, 60.0)
    assert merge_application(known, {**START, "attempt_id": "1"})["start_s"] == 50.0


def test_jobs_of_an_attempt_of_the_application_before_the_last_are_left_out() -> None:
    jobs = [{"job_id": 0, "attempt_id": "2"}, {"job_id": 1, "attempt_id": "1"}]
    found = application_of({"execution_id": "a", "attempt_id": "2"}, jobs)
    assert [job.job_id for job in found.jobs] == [0]


TIMES = st.one_of(st.none(), st.floats(0, 100, allow_nan=False))
JOBS = st.fixed_dictionaries(
    {"job_id": st.just(1)},
    optional={
        "start_s": TIMES,
        "end_s": TIMES,
        "end_scale_out": st.integers(1, 9),
        "attempt_id": st.sampled_from(["1", "2"]),
        "stages": st.dictionaries(
            st.sampled_from(["1", "2"]),
            st.fixed_dictionaries(
                {"stage_id": st.just(1)}, optional={"attempt": st.integers(0, 2), "end_s": TIMES, "num_tasks": TIMES}
            ),
        ),
    },
)


@settings(deadline=None)
@given(st.lists(JOBS, max_size=4), JOBS)
def test_an_event_that_comes_twice_changes_nothing_the_second_time(before: list[dict[str, Any]], event: Any) -> None:
    known: dict[str, Any] = {}
    for one in before:
        known = merge_job(known, one)
    once = merge_job(known, event)
    assert merge_job(once, event) == once


def test_a_record_comes_back_from_its_row_as_it_was() -> None:
    ran = Stage(1, "map", 1, (0,), 8, 1.0, 2.0, 2, 3, 0.5, "lost", 4, 3, 2, 1, Metrics(0.5, 0.1, 0.2, 0.3, 0.4))
    job = JobExecution(3, 1.0, 2.0, 2, 3, 4, 0.1, {0: Stage(0, "read"), 1: ran})
    context = Context("spark", "gbt", "e", ("--trees", "9"), 1000.0, "dense", "m5", "k8s", 4, 8192.0, {"spark": "3.5"})
    run = Application("a", context, "spark-1", "1", "gbt", "ellis", 2, 8, 60.0, 1.0, 2.0, 2, 3, (job,))
    told, jobs = told_of(run)
    assert application_of(told, jobs) == run
    assert job_of(job_told(job)) == job
