"""Rounds over a cluster: what is seen is written, what nobody follows is ended, what was left lying goes on."""

from collections.abc import Callable

import pytest

from common.clock import FakeClock
from common.jobs.states import State
from common.submission.records import Element
from common.submission.runners.fake import FakeConfig, FakeDependingRunner, FakeRunner
from common.submission.states import TaskState
from tests.common.submission.desk import Desk
from tests.common.submission.fixtures import *  # noqa: F403


def test_a_round_is_one_call_however_many_tasks_there_are(desk: Desk) -> None:
    for _ in range(5):
        desk.submitted()
    desk.cluster.calls.clear()
    desk.look()
    assert desk.cluster.calls == ["observe"]


def test_clusters_without_tasks_are_not_asked(desk: Desk) -> None:
    desk.look()
    assert desk.cluster.calls == []


def test_an_array_shows_its_elements(desk: Desk) -> None:
    task = desk.running(array="0-1")
    elements = (Element(0, TaskState.SUCCEEDED, 0), Element(1, TaskState.FAILED, 3, "NonZeroExitCode"))
    desk.cluster.finish(
        task.name, TaskState.FAILED, {"task-0.log": b"0", "task-1.log": b"1"}, elements=elements, exit_code=3
    )
    desk.look()
    desk.work()
    ended = desk.get(task)
    assert (ended.state, ended.elements) == (TaskState.FAILED, elements)
    assert sorted(desk.files(ended)) == ["task-0.log", "task-1.log"]


def test_a_requeued_task_is_shown_as_waiting_and_goes_on(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.requeue(task.name)
    desk.look()
    assert (desk.state(task), desk.get(task).restarts) == (TaskState.PENDING, 1)
    desk.cluster.see(task.name, state=TaskState.RUNNING)
    desk.look()
    assert desk.state(task) is TaskState.RUNNING


def test_a_task_that_its_cluster_forgot_is_lost_and_found_again(desk: Desk, clock: FakeClock) -> None:
    task = desk.running()
    desk.cluster.forget(task.name)
    desk.look()
    assert desk.state(task) is TaskState.RUNNING
    clock.advance(301)
    desk.look()
    assert desk.state(task) is TaskState.LOST
    clock.advance(3600)
    desk.cluster.recall(task.name)
    desk.cluster.finish(task.name, files={"task.log": b"late"})
    desk.look()
    desk.work()
    ended = desk.get(task)
    assert (ended.state, ended.files, desk.files(ended)) == (TaskState.SUCCEEDED, "complete", {"task.log": b"late"})


def test_a_cluster_that_does_not_answer_loses_nothing(desk: Desk, clock: FakeClock) -> None:
    task = desk.running()
    desk.cluster.is_down = True
    for _ in range(10):
        clock.advance(600)
        desk.look()
    assert desk.state(task) is TaskState.RUNNING
    assert desk.get(task).missing_since is None


def test_a_task_that_failed_is_begun_anew_by_itself_and_the_files_of_each_attempt_are_kept(desk: Desk) -> None:
    task = desk.running(retries=1)
    desk.cluster.finish(task.name, TaskState.FAILED, {"task.log": b"first"})
    desk.look()
    desk.work()
    again = desk.get(task)
    assert (again.attempt, again.state, again.retries_left) == (2, TaskState.PENDING, 0)
    assert [(one["state"], one["exit_code"], one["files"]) for one in again.earlier] == [("failed", 1, "complete")]
    assert desk.files(again, 1) == {"task.log": b"first"}
    desk.cluster.start(again.name)
    desk.cluster.finish(again.name, TaskState.FAILED, {"task.log": b"second"})
    desk.look()
    desk.work()
    ended = desk.get(task)
    assert (ended.attempt, ended.state) == (2, TaskState.FAILED)
    assert desk.files(ended) == {"task.log": b"second"}
    assert desk.cluster.runs == [task.name, again.name]


def test_a_lost_attempt_that_turns_up_beside_its_successor_is_ended(desk: Desk, clock: FakeClock) -> None:
    task = desk.running(retries=1)
    desk.cluster.forget(task.name)
    desk.look()
    clock.advance(301)
    desk.look()
    desk.work()
    again = desk.get(task)
    assert (again.attempt, again.state) == (2, TaskState.PENDING)
    desk.cluster.recall(task.name)
    desk.look()
    assert desk.cluster.of(task.name)[0].observation.state is TaskState.CANCELLED
    assert desk.state(task) is TaskState.PENDING


def test_a_twin_that_waits_is_ended(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.submit(desk.cluster.of(task.name)[0].task, {})
    desk.look()
    first, second = desk.cluster.of(task.name)
    assert (first.observation.state, second.observation.state) == (TaskState.RUNNING, TaskState.CANCELLED)
    assert desk.state(task) is TaskState.RUNNING


def test_what_turns_up_of_a_task_that_was_just_cancelled_is_ended(desk: Desk) -> None:
    task = desk.running()
    desk.service.cancel(task.id)
    desk.work()
    desk.look()
    desk.cluster.submit(desk.cluster.of(task.name)[0].task, {})
    desk.look()
    assert desk.cluster.live() == []
    assert desk.state(task) is TaskState.CANCELLED


def test_a_task_waits_for_those_that_it_depends_on(desk: Desk) -> None:
    first = desk.running()
    second = desk.submit(dependencies=(first.id,))
    desk.work()
    held = desk.get(second)
    assert (held.state, held.held, held.reason) == (TaskState.RECEIVED, True, f"waits for task {first.id}")
    desk.look()
    assert desk.cluster.of(second.name) == []
    desk.cluster.finish(first.name)
    desk.look()
    desk.look()
    desk.work()
    assert (desk.state(second), desk.get(second).held, desk.get(second).reason) == (TaskState.PENDING, False, None)


def test_a_task_is_cancelled_when_one_that_it_depends_on_went_wrong(desk: Desk) -> None:
    first = desk.running()
    second = desk.submit(dependencies=(first.id,))
    third = desk.submit(dependencies=(second.id,))
    desk.work()
    desk.cluster.finish(first.name, TaskState.OUT_OF_MEMORY)
    desk.settle(3, 10)
    assert desk.get(second).reason == f"task {first.id}, which it waits for, is out-of-memory"
    assert (desk.state(second), desk.state(third)) == (TaskState.CANCELLED, TaskState.CANCELLED)
    assert [job.task.name for job in desk.cluster.jobs] == [first.name]


def test_a_task_waits_for_the_retries_of_one_that_it_depends_on(desk: Desk) -> None:
    first = desk.running(retries=1)
    second = desk.submit(dependencies=(first.id,))
    desk.work()
    desk.cluster.finish(first.name, TaskState.FAILED)
    desk.settle(2, 10)
    assert desk.state(second) is TaskState.RECEIVED
    again = desk.get(first)
    desk.cluster.start(again.name)
    desk.cluster.finish(again.name)
    desk.settle(3, 10)
    assert desk.state(second) is TaskState.PENDING


def test_a_held_task_can_be_cancelled(desk: Desk) -> None:
    first = desk.running()
    second = desk.submit(dependencies=(first.id,))
    desk.work()
    assert desk.service.cancel(second.id).state is TaskState.CANCELLED
    desk.cluster.finish(first.name)
    desk.settle(3, 10)
    assert desk.state(second) is TaskState.CANCELLED


def test_a_cluster_that_can_wait_is_given_the_dependencies(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(runner=FakeDependingRunner)
    first = desk.running()
    second = desk.submitted(dependencies=(first.id,))
    assert desk.cluster.of(second.name)[0].task.depends_on == (first.cluster_job_id,)


def test_what_a_cluster_would_wait_for_in_vain_is_cancelled_there(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(runner=FakeDependingRunner)
    first = desk.running()
    second = desk.submitted(dependencies=(first.id,))
    desk.cluster.finish(first.name, TaskState.FAILED)
    desk.settle(4, 10)
    ended = desk.get(second)
    assert (ended.state, ended.reason) == (TaskState.CANCELLED, f"task {first.id}, which it waits for, is failed")
    assert desk.cluster.live() == []


def test_tasks_of_different_clusters_wait_for_each_other(make_desk: Callable[..., Desk], clock: FakeClock) -> None:
    other = FakeRunner(None, FakeConfig(name="other", kind="fake"))
    desk = make_desk(runner=FakeDependingRunner, more=[other])
    first = desk.running()
    second = desk.submit(cluster="other", dependencies=(first.id,))
    desk.work()
    assert desk.get(second).held
    desk.cluster.finish(first.name)
    desk.settle(3, 10)
    assert desk.state(second) is TaskState.PENDING
    assert [job.task.name for job in other.cluster.jobs] == [second.name]


def test_a_task_whose_submission_was_cancelled_by_hand_is_cancelled(desk: Desk) -> None:
    task = desk.submit()
    desk.kernel.service.cancel(desk.jobs_of(task)[0].id)
    desk.work()
    desk.look()
    assert desk.state(task) is TaskState.CANCELLED


def test_a_task_of_a_cluster_that_is_configured_no_more_says_so_and_can_be_cancelled(
    make_desk: Callable[..., Desk],
) -> None:
    gone = FakeRunner(None, FakeConfig(name="gone", kind="fake"))
    desk = make_desk(more=[gone])
    task = desk.submit(cluster="gone")
    desk.work()
    desk = make_desk()
    desk.look()
    assert (desk.state(task), "fake" in str(desk.get(task).reason)) == (TaskState.PENDING, True)
    desk.service.cancel(task.id)
    desk.look()
    assert desk.state(task) is TaskState.CANCELLED


def test_files_that_cannot_be_collected_for_hours_are_collected_in_the_end(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name, files={"task.log": b"1"})
    desk.cluster.fail("collect", 20)
    desk.look()
    desk.settle(25)
    assert (desk.get(task).files, desk.files(task)) == ("complete", {"task.log": b"1"})


def test_files_that_never_can_be_collected_are_said_to_be_missing(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name)
    desk.cluster.fail("collect", 1000)
    desk.look()
    desk.settle(60)
    assert (desk.get(task).files, desk.state(task)) == ("missing", TaskState.SUCCEEDED)


def test_files_are_not_removed_from_the_cluster_before_they_are_here(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name, files={"task.log": b"1"})
    desk.cluster.fail("collect")
    desk.look()
    desk.work()
    assert desk.cluster.cleaned == []
    desk.settle(3)
    assert desk.cluster.cleaned == [task.name]


def test_one_of_several_processes_looks_at_a_cluster(make_desk: Callable[..., Desk]) -> None:
    first, second = make_desk(), make_desk()
    task = first.submitted()
    assert [first.reconciler.look("fake"), second.reconciler.look("fake")] == [True, False]
    first.clock.advance(60)
    assert second.reconciler.look("fake")
    assert first.state(task) is TaskState.PENDING


def test_a_round_that_fails_is_logged_and_raises_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.submitted()
    desk.cluster.fail("observe", error=lambda: RuntimeError("bug"))
    assert desk.reconciler.look("fake")


def test_a_tick_looks_at_all_clusters_and_has_files_brought_back(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name)
    desk.reconciler.tick()
    assert desk.get(task).files == "collecting"
    assert [job.state for job in desk.jobs_of(task)][-1] is State.QUEUED
