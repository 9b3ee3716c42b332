"""Submitting, cancelling and retrying tasks."""

import threading
from typing import Any

import pytest

from common.database import Database
from common.errors import Conflict, Invalid, TooManyRequests
from common.jobs.states import State
from common.storage.blobs import BlobRef
from common.submission.states import TaskState
from common.submission.store import BlobsGone
from tests.common.submission.desk import SCRIPT, Desk, counting
from tests.common.submission.fixtures import *  # noqa: F403


def submit(desk: Desk, key: str | None = None, owner: str = "key:me", **fields: Any) -> Any:
    return desk.service.submit(desk.spec(**fields), desk.blobs.put(SCRIPT), owner=owner, idempotency_key=key)


def test_a_task_is_accepted_with_the_job_that_hands_it_over(desk: Desk) -> None:
    task = desk.submit()
    assert [job.path for job in desk.jobs_of(task)] == [f"/tasks/{task.id}/submit?attempt=1"]
    assert (task.state, task.job_id) == (TaskState.RECEIVED, desk.jobs_of(task)[0].id)


def test_the_same_key_is_the_same_task(desk: Desk, database: Database) -> None:
    first, again = submit(desk, "k"), submit(desk, "k")
    assert (first.is_new, again.is_new, again.task.id) == (True, False, first.task.id)
    assert (counting(database, "tasks"), counting(database, "jobs")) == (1, 1)


def test_the_same_key_of_another_owner_is_another_task(desk: Desk) -> None:
    assert submit(desk, "k").task.id != submit(desk, "k", owner="key:other").task.id


def test_a_key_that_was_used_for_another_task_is_refused(desk: Desk, database: Database) -> None:
    submit(desk, "k")
    with pytest.raises(Invalid, match="another task"):
        submit(desk, "k", parameters={"n": 2})
    assert (counting(database, "tasks"), counting(database, "jobs")) == (1, 1)


def test_many_that_send_the_same_key_at_once_get_one_task(desk: Desk, database: Database) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(submit(desk, "k").task.id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert (counting(database, "tasks"), counting(database, "jobs")) == (1, 1)


def test_a_task_of_a_program_that_is_gone_is_not_accepted(desk: Desk, database: Database) -> None:
    with pytest.raises(BlobsGone):
        desk.service.submit(desk.spec(), BlobRef("0" * 64, 5))
    assert (counting(database, "tasks"), counting(database, "jobs")) == (0, 0)


def test_an_owner_with_too_much_open_is_refused(desk: Desk, database: Database) -> None:
    submit(desk)
    with pytest.raises(TooManyRequests):
        desk.service.submit(desk.spec(), desk.blobs.put(SCRIPT), owner="key:me", max_open=1)
    assert counting(database, "tasks") == 1


def test_a_task_that_no_cluster_was_asked_for_is_cancelled_at_once(desk: Desk) -> None:
    task = desk.submit()
    assert desk.service.cancel(task.id).state is TaskState.CANCELLED
    desk.work()
    assert desk.state(task) is TaskState.CANCELLED
    assert desk.cluster.jobs == []


def test_a_running_task_is_cancelled_on_its_cluster(desk: Desk) -> None:
    task = desk.running()
    asked = desk.service.cancel(task.id)
    assert (asked.state, asked.cancel_asked, asked.reason) == (TaskState.RUNNING, True, "cancelled on request")
    desk.work()
    desk.look()
    ended = desk.get(task)
    assert (ended.state, ended.reason) == (TaskState.CANCELLED, "cancelled on request")


def test_cancelling_twice_is_once(desk: Desk) -> None:
    task = desk.running()
    desk.service.cancel(task.id)
    assert desk.service.cancel(task.id).cancel_asked
    assert [job.path.rpartition("/")[2] for job in desk.jobs_of(task)] == ["submit?attempt=1", "cancel?attempt=1"]


def test_a_finished_task_cannot_be_cancelled(desk: Desk) -> None:
    task = desk.finished()
    with pytest.raises(Conflict, match="succeeded already"):
        desk.service.cancel(task.id)


def test_a_retry_is_the_next_attempt_with_the_story_of_those_before(desk: Desk) -> None:
    task = desk.finished(TaskState.FAILED, retries=0)
    again = desk.service.retry(task.id)
    assert (again.state, again.attempt, again.exit_code, again.cluster_job_id) == (TaskState.RECEIVED, 2, None, None)
    assert again.name == task.name[:-1] + "2"
    assert [(one["attempt"], one["state"], one["exit_code"], one["files"]) for one in again.earlier] == [
        (1, "failed", 1, "complete")
    ]
    desk.work()
    assert desk.state(task) is TaskState.PENDING
    assert [job.task.name for job in desk.cluster.jobs] == [task.name, again.name]


def test_a_live_task_cannot_be_retried(desk: Desk) -> None:
    with pytest.raises(Conflict, match="only one that has finished"):
        desk.service.retry(desk.running().id)


def test_a_task_whose_files_are_under_way_is_not_retried_yet(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name)
    desk.look()
    with pytest.raises(Conflict, match="brought back"):
        desk.service.retry(task.id)


def test_what_is_done_with_a_change_is_done_with_it_or_not_at_all(desk: Desk) -> None:
    def refuse(connection: object, task: object) -> None:
        raise RuntimeError("no")

    task = desk.running()
    with pytest.raises(RuntimeError):
        desk.service.cancel(task.id, also=refuse)
    assert not desk.get(task).cancel_asked
    assert [job.state for job in desk.jobs_of(task)] == [State.SUCCEEDED]
