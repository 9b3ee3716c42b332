from dataclasses import replace
from datetime import UTC, datetime, timedelta

from common.submission.records import Element
from common.submission.runners.slurm.rows import JobRow, observations
from common.submission.runners.slurm.states import Ending
from common.submission.states import TaskState

BEGAN = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
LATER = BEGAN + timedelta(minutes=1)


def row(
    state: str, job_id: str = "5", index: int | None = None, *, exit_code: int | None = 0, **more: object
) -> JobRow:
    base = JobRow(job_id, index, "mine", state, None, Ending(exit_code, None), ("n1",), BEGAN, BEGAN, LATER)
    return replace(base, **more)  # type: ignore[arg-type]


def test_others_jobs_are_not_told() -> None:
    assert observations([row("RUNNING", name="other")], [], ["mine"]) == []


def test_the_queue_is_believed_before_the_accounting() -> None:
    (told,) = observations([row("RUNNING")], [row("PENDING")], ["mine"])
    assert told.state is TaskState.RUNNING


def test_what_the_queue_has_forgotten_is_told_by_the_accounting() -> None:
    (told,) = observations([], [row("CANCELLED by 0")], ["mine"])
    assert told.state is TaskState.CANCELLED


def test_the_end_is_told_before_its_figures_are_there() -> None:
    (told,) = observations([row("COMPLETED")], [], ["mine"])
    assert (told.state, told.exit_code, told.cpu_time_s) == (TaskState.SUCCEEDED, 0, None)


def test_the_figures_of_an_end_come_from_the_accounting() -> None:
    figures = row("COMPLETED", cpu_time_s=2.5, peak_memory_bytes=1024)
    (told,) = observations([row("COMPLETED")], [figures], ["mine"])
    assert (told.cpu_time_s, told.peak_memory_bytes) == (2.5, 1024)


def test_figures_of_an_earlier_run_of_a_job_that_was_put_back_are_not_this_runs() -> None:
    earlier = row("COMPLETED", cpu_time_s=99.0, started_at=BEGAN - timedelta(hours=1))
    (told,) = observations([row("COMPLETED", restarts=1)], [earlier], ["mine"])
    assert (told.cpu_time_s, told.restarts) == (None, 1)


def test_a_waiting_job_has_not_begun_whatever_slurm_expects() -> None:
    (told,) = observations([row("PENDING")], [], ["mine"])
    assert (told.started_at, told.finished_at) == (None, None)


def test_a_running_job_has_not_ended_whatever_its_limit() -> None:
    (told,) = observations([row("RUNNING")], [], ["mine"])
    assert (told.started_at, told.finished_at) == (BEGAN, None)


def test_two_jobs_of_one_name_are_both_told() -> None:
    told = observations([row("RUNNING", "12"), row("PENDING", "9")], [], ["mine"])
    assert [one.cluster_job_id for one in told] == ["9", "12"]


def test_an_array_is_one_observation_with_its_elements() -> None:
    rows = [row("PENDING", index=2), row("FAILED", index=1, exit_code=3), row("COMPLETED", index=0)]
    (told,) = observations(rows, [], ["mine"])
    assert told.state is TaskState.RUNNING
    assert told.elements == (
        Element(0, TaskState.SUCCEEDED, 0, None),
        Element(1, TaskState.FAILED, 3, "NonZeroExitCode"),
        Element(2, TaskState.PENDING, None, None),
    )


def test_an_array_ends_as_its_worst_element_did() -> None:
    rows = [row("COMPLETED", index=0), row("FAILED", index=1, exit_code=3, cpu_time_s=1.0)]
    (told,) = observations(rows, [], ["mine"])
    assert (told.state, told.exit_code, told.finished_at) == (TaskState.FAILED, 3, LATER)


def test_elements_that_have_left_the_queue_are_told_beside_those_that_run() -> None:
    (told,) = observations([row("RUNNING", index=1)], [row("COMPLETED", index=0), row("RUNNING", index=1)], ["mine"])
    assert [element.state for element in told.elements] == [TaskState.SUCCEEDED, TaskState.RUNNING]


def test_a_state_that_nobody_knows_is_not_told() -> None:
    assert observations([row("TELEPORTED")], [], ["mine"]) == []


def test_an_array_that_the_accounting_takes_for_one_job_is_told_by_its_elements() -> None:
    (told,) = observations([row("CANCELLED", index=0), row("CANCELLED", index=1)], [row("CANCELLED by 7")], ["mine"])
    assert [element.index for element in told.elements] == [0, 1]
