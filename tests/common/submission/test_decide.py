"""What becomes of a task by what its cluster says. No database, no cluster."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.jobs.states import State
from common.storage.blobs import BlobRef
from common.submission.decide import Decision, SubmitJob, decide, may_begin_anew
from common.submission.dependencies import Go, Never, Wait, judge
from common.submission.records import Brief, Observation, Task
from common.submission.spec import TaskSpec
from common.submission.states import OBSERVABLE, TaskState, may_follow

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=10)
IDLE = SubmitJob(State.SUCCEEDED)
BUSY = SubmitJob(State.RUNNING)
DEAD = SubmitJob(State.DEAD, "the cluster does not answer")
OTHER = "0" * 27


def a_task(state: TaskState = TaskState.RUNNING, **values: Any) -> Task:
    known = {"cluster_job_id": "7"} if state is not TaskState.RECEIVED else {}
    return replace(
        Task(
            id="1" * 27,
            owner="",
            spec=TaskSpec(name="t", cluster="c", entry_point="a.py"),
            program=BlobRef("0" * 64, 1),
            state=state,
            attempt=1,
            name="t-1",
            job_id=None,
            cluster_job_id=None,
            reason=None,
            exit_code=None,
            signal=None,
            nodes=(),
            created_at=EARLIER,
            submitted_at=EARLIER,
            started_at=None,
            finished_at=NOW if state.is_finished else None,
            cpu_time_s=None,
            peak_memory_bytes=None,
            restarts=0,
            elements=(),
            cancel_asked=False,
            files="none",
            run_id=None,
            metrics={},
        ),
        **{**known, **values},
    )


def seen(state: TaskState, number: str = "7", **values: Any) -> Observation:
    return Observation("t-1", number, state, **values)


def decided(task: Task, *observations: Observation, job: SubmitJob = IDLE) -> Decision:
    return decide(task, observations, NOW, forget_after_s=300, job=job)


def test_what_has_not_changed_changes_nothing() -> None:
    task = a_task(TaskState.RUNNING, started_at=EARLIER, nodes=("n1",))
    assert decided(task, seen(TaskState.RUNNING, started_at=EARLIER, nodes=("n1",))) == Decision()


def test_a_short_task_may_have_ended_before_it_is_looked_at_for_the_first_time() -> None:
    found = decided(a_task(TaskState.SUBMITTING, cluster_job_id=None), seen(TaskState.SUCCEEDED, exit_code=0), job=BUSY)
    assert found.values["state"] is TaskState.SUCCEEDED
    assert found.values["cluster_job_id"] == "7"
    assert found.values["files"] == "collecting"


def test_a_requeued_task_waits_again_with_its_restarts() -> None:
    found = decided(a_task(TaskState.RUNNING), seen(TaskState.PENDING, restarts=1))
    assert (found.values["state"], found.values["restarts"]) == (TaskState.PENDING, 1)


def test_a_task_that_is_just_being_handed_over_is_not_missed() -> None:
    assert decided(a_task(TaskState.SUBMITTING, cluster_job_id=None), job=BUSY) == Decision()


def test_a_task_whose_job_gave_up_has_failed_with_its_error() -> None:
    found = decided(a_task(TaskState.SUBMITTING, cluster_job_id=None), job=DEAD)
    assert found.values["state"] is TaskState.FAILED
    assert "the cluster does not answer" in found.values["reason"]


def test_a_task_whose_job_gave_up_is_followed_if_the_cluster_has_it_after_all() -> None:
    found = decided(a_task(TaskState.SUBMITTING, cluster_job_id=None), seen(TaskState.RUNNING), job=DEAD)
    assert found.values["state"] is TaskState.RUNNING


@pytest.mark.parametrize("job", [SubmitJob(None), SubmitJob(State.SUCCEEDED)])
def test_a_task_that_nobody_works_for_is_handed_over_again(job: SubmitJob) -> None:
    assert decided(a_task(TaskState.SUBMITTING, cluster_job_id=None), job=job).resubmit
    assert decided(a_task(TaskState.RECEIVED), job=job).resubmit


def test_a_held_task_is_left_to_those_that_it_waits_for() -> None:
    assert decided(a_task(TaskState.RECEIVED, held=True)) == Decision()


def test_a_task_is_lost_only_after_it_was_unknown_for_as_long_as_the_cluster_is_given() -> None:
    first = decided(a_task())
    assert first.values == {"missing_since": NOW}
    assert decided(a_task(missing_since=NOW - timedelta(seconds=299))) == Decision()
    assert decided(a_task(missing_since=NOW - timedelta(seconds=300))).values["state"] is TaskState.LOST


def test_a_cancelled_task_that_is_gone_from_its_cluster_is_cancelled_not_lost() -> None:
    gone = a_task(cancel_asked=True, missing_since=NOW - timedelta(seconds=40))
    assert decided(gone).values["state"] is TaskState.CANCELLED


def test_a_task_that_is_seen_again_is_missed_no_more() -> None:
    assert decided(a_task(missing_since=EARLIER), seen(TaskState.RUNNING)).values["missing_since"] is None


def test_a_lost_task_that_is_found_goes_on() -> None:
    found = decided(a_task(TaskState.LOST), seen(TaskState.RUNNING))
    assert (found.values["state"], found.values["finished_at"]) == (TaskState.RUNNING, None)


def test_a_lost_task_that_has_ended_meanwhile_is_collected() -> None:
    found = decided(a_task(TaskState.LOST), seen(TaskState.SUCCEEDED, finished_at=EARLIER))
    assert (found.values["state"], found.values["files"]) == (TaskState.SUCCEEDED, "collecting")
    assert found.values["finished_at"] == EARLIER


def test_what_still_runs_of_a_finished_task_is_ended() -> None:
    found = decided(a_task(TaskState.CANCELLED), seen(TaskState.RUNNING))
    assert (found.cancel, found.why, dict(found.values)) == (("7",), "orphan", {})


def test_figures_that_come_late_are_added_to_a_finished_task() -> None:
    found = decided(a_task(TaskState.SUCCEEDED, exit_code=0), seen(TaskState.SUCCEEDED, exit_code=0, cpu_time_s=2.5))
    assert found == Decision({"cpu_time_s": 2.5})


def test_a_second_one_that_waits_is_ended_and_the_one_that_runs_is_followed() -> None:
    found = decided(a_task(TaskState.PENDING), seen(TaskState.PENDING), seen(TaskState.RUNNING, "8"))
    assert (found.cancel, found.why) == (("7",), "twin")
    assert found.values["cluster_job_id"] == "8"


def test_of_two_that_wait_the_one_on_record_stays() -> None:
    found = decided(a_task(TaskState.PENDING), seen(TaskState.PENDING, "6"), seen(TaskState.PENDING))
    assert (found.cancel, found.values) == (("6",), {})


def test_a_second_one_that_left_at_once_is_not_taken_for_the_end_of_the_task() -> None:
    found = decided(
        a_task(TaskState.PENDING),
        seen(TaskState.SUCCEEDED, exit_code=0, started_at=NOW, finished_at=NOW),
        seen(TaskState.RUNNING, "8", started_at=EARLIER),
    )
    assert (found.values["state"], found.values["cluster_job_id"], found.cancel) == (TaskState.RUNNING, "8", ())


def test_of_two_that_have_ended_the_one_that_ran_counts() -> None:
    found = decided(
        a_task(TaskState.PENDING),
        seen(TaskState.SUCCEEDED, started_at=NOW, finished_at=NOW),
        seen(TaskState.FAILED, "8", started_at=EARLIER, finished_at=NOW, exit_code=3),
    )
    assert (found.values["state"], found.values["exit_code"]) == (TaskState.FAILED, 3)


@pytest.mark.parametrize("took_s", [0, 1])
def test_of_two_that_ended_at_once_the_one_that_went_wrong_counts(took_s: int) -> None:
    found = decided(
        a_task(TaskState.PENDING),
        seen(TaskState.SUCCEEDED, exit_code=0, started_at=NOW, finished_at=NOW + timedelta(seconds=took_s)),
        seen(TaskState.FAILED, "8", exit_code=3, started_at=NOW, finished_at=NOW),
    )
    assert (found.values["state"], found.values["exit_code"]) == (TaskState.FAILED, 3)


def test_a_task_that_is_to_be_cancelled_is_cancelled_wherever_it_lives() -> None:
    found = decided(a_task(cancel_asked=True), seen(TaskState.RUNNING), seen(TaskState.PENDING, "8"))
    assert (found.cancel, found.why) == (("7", "8"), "asked")


def test_the_reason_for_cancelling_outlives_the_clusters_word_for_it() -> None:
    task = a_task(cancel_asked=True, reason="cancelled on request")
    found = decided(task, seen(TaskState.CANCELLED, reason="CANCELLED by 0"))
    assert found.values["state"] is TaskState.CANCELLED
    assert "reason" not in found.values


def test_a_task_that_ended_by_itself_before_it_could_be_cancelled_says_so() -> None:
    found = decided(a_task(cancel_asked=True), seen(TaskState.SUCCEEDED, exit_code=0))
    assert found.values["state"] is TaskState.SUCCEEDED


def test_a_clock_that_was_set_back_loses_no_task() -> None:
    assert decided(a_task(missing_since=NOW + timedelta(days=1))).values == {"missing_since": NOW}


@given(st.sampled_from(TaskState), st.sampled_from(sorted(OBSERVABLE)), st.booleans())
def test_no_state_follows_that_may_not(before: TaskState, told: TaskState, asked: bool) -> None:
    found = decided(a_task(before, cancel_asked=asked), seen(told))
    after = found.values.get("state")
    assert after is None or may_follow(before, after)


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.NODE_FAILED, TaskState.TIMED_OUT, TaskState.LOST])
def test_what_went_wrong_is_begun_anew_as_often_as_was_asked(state: TaskState) -> None:
    assert may_begin_anew(a_task(retries_left=1), state)
    assert not may_begin_anew(a_task(retries_left=0), state)
    assert not may_begin_anew(a_task(retries_left=1, cancel_asked=True), state)


def test_success_and_cancellation_are_final() -> None:
    assert not may_begin_anew(a_task(retries_left=1), TaskState.SUCCEEDED)
    assert not may_begin_anew(a_task(retries_left=1), TaskState.CANCELLED)


def brief(state: TaskState, **values: Any) -> dict[str, Brief]:
    return {
        OTHER: Brief(
            **{"id": OTHER, "state": state, "cluster": "c", "cluster_job_id": "5", "retries_left": 0, **values}
        )
    }


WAITING = TaskSpec(name="t", cluster="c", entry_point="a.py", dependencies=(OTHER,))


def test_a_task_begins_when_all_that_it_waits_for_have_succeeded() -> None:
    assert judge(WAITING, brief(TaskState.SUCCEEDED), takes_dependencies=False) == Go()


def test_a_cluster_that_can_wait_is_told_what_for() -> None:
    assert judge(WAITING, brief(TaskState.RUNNING), takes_dependencies=True) == Go(("5",))


@pytest.mark.parametrize("values", [{"cluster": "other"}, {"cluster_job_id": None}, {"retries_left": 1}])
def test_atoll_waits_for_what_the_cluster_cannot_wait_for(values: dict[str, Any]) -> None:
    assert isinstance(judge(WAITING, brief(TaskState.RUNNING, **values), takes_dependencies=True), Wait)


@pytest.mark.parametrize("briefs", [{}, brief(TaskState.FAILED), brief(TaskState.CANCELLED), brief(TaskState.LOST)])
def test_a_task_never_begins_after_one_that_went_wrong(briefs: dict[str, Brief]) -> None:
    assert isinstance(judge(WAITING, briefs, takes_dependencies=True), Never)
