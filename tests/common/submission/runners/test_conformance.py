"""What every runner does, on each kind of cluster that can be had here.

Names say what is no real cluster: `fake` runs nothing, `…-standin` and `…-moto` only speak as the real ones do.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.errors import Invalid
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import Known, Observation, Submission
from common.submission.runners.base import Runner
from common.submission.states import TaskState
from tests.common.submission.runners import tasks
from tests.common.submission.runners.sites import (
    FAILS,
    RAN,
    SITES,
    SLEEPS,
    TEXT,
    WRITES,
    WRITES_FILES,
    WRITES_LOG,
    Site,
    open_site,
)


@pytest.fixture(scope="module", params=list(SITES))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with open_site(request.param) as found:
        yield found


def make(runner: Runner, **fields: Any) -> Submission:
    return tasks.submission(runner, entry_point="main.sh", **fields)


def stranger(task: Submission) -> Known:
    """As one is asked about whose submission may never have reached the cluster."""
    return Known(task.task_id, task.name, None, task.owner, task.spec)


def is_down(call: Callable[[], object]) -> bool:
    """Whether a call says so."""
    try:
        call()
    except ClusterDown:
        return True
    return False


def begin(runner: Runner, program: str, **fields: Any) -> Known:
    task = make(runner, **fields)
    runner.check(task.spec)
    return tasks.known(task, runner.submit(task, tasks.package(runner, task, program)))


@pytest.fixture(scope="module")
def done(site: Site) -> tuple[Known, Observation]:
    """A task that has succeeded."""
    task = begin(site.runner, WRITES, parameters={"n": 2}, environment={"TEXT": TEXT})
    return task, tasks.finish(site.runner, task)


def test_a_task_that_was_never_submitted_is_not_known(site: Site) -> None:
    task = make(site.runner)
    known = stranger(task)
    assert site.runner.find(task) is None
    assert site.runner.observe([known]) == []
    site.runner.cancel(known)
    site.runner.clean(known)


def test_a_task_that_succeeds_is_told_with_its_times(done: tuple[Known, Observation]) -> None:
    task, seen = done
    assert (seen.name, seen.cluster_job_id) == (task.name, task.cluster_job_id)
    assert (seen.state, seen.exit_code) == (TaskState.SUCCEEDED, 0)
    assert seen.started_at is not None or seen.submitted_at is not None


def test_a_program_gets_its_parameters_and_environment_and_its_log_is_kept(
    site: Site, done: tuple[Known, Observation]
) -> None:
    part = site.runner.read_log(done[0], 0, 10_000)
    assert (part.content, part.offset) == (WRITES_LOG, 0)


def test_a_log_is_read_from_where_it_was_left(site: Site, done: tuple[Known, Observation]) -> None:
    part = site.runner.read_log(done[0], 3, 4)
    assert (part.content, part.offset) == (WRITES_LOG[3:7], 3)
    assert part.size_bytes in (None, len(WRITES_LOG))
    assert site.runner.read_log(done[0], len(WRITES_LOG), 4).content == b""


def test_files_and_log_are_collected_without_links(site: Site, done: tuple[Known, Observation]) -> None:
    assert tasks.files(site.runner, done[0]) == WRITES_FILES


def test_a_finished_task_is_found_by_its_name(site: Site, done: tuple[Known, Observation]) -> None:
    task, _ = done
    submission = Submission(task.task_id, task.name, task.owner, task.spec)
    assert site.runner.find(submission) == task.cluster_job_id


def test_a_finished_task_is_cancelled_by_nobody(site: Site, done: tuple[Known, Observation]) -> None:
    site.runner.cancel(done[0])
    assert tasks.finish(site.runner, done[0]).state is TaskState.SUCCEEDED


def test_a_task_that_fails_is_told_with_its_exit_code(site: Site) -> None:
    seen = tasks.finish(site.runner, begin(site.runner, FAILS))
    assert (seen.state, seen.exit_code) == (TaskState.FAILED, 3)


def test_a_task_that_is_submitted_twice_runs_once(site: Site) -> None:
    task = make(site.runner)
    package = tasks.package(site.runner, task, RAN)
    first, second = (site.runner.submit(task, package) for _ in range(2))
    assert first == second
    assert site.runner.find(task) == first
    known = tasks.known(task, first)
    assert tasks.finish(site.runner, known).state is TaskState.SUCCEEDED
    assert site.runner.submit(task, package) == first
    assert tasks.files(site.runner, known)["output/runs"] == b"ran\n"
    assert [seen.state for seen in site.runner.observe([known])] == [TaskState.SUCCEEDED]


def test_a_running_task_is_cancelled_and_once_more(site: Site) -> None:
    task = begin(site.runner, SLEEPS)
    tasks.wait_for(site.runner, task, lambda seen: seen.state is TaskState.RUNNING)
    site.runner.cancel(task)
    site.runner.cancel(task)
    assert tasks.finish(site.runner, task).state is TaskState.CANCELLED
    site.runner.cancel(task)


def test_many_are_observed_at_once_and_strangers_left_out(site: Site, done: tuple[Known, Observation]) -> None:
    failed = begin(site.runner, FAILS)
    tasks.finish(site.runner, failed)
    seen = site.runner.observe([done[0], stranger(make(site.runner)), failed])
    assert {one.name: one.state for one in seen} == {
        done[0].name: TaskState.SUCCEEDED,
        failed.name: TaskState.FAILED,
    }
    assert site.runner.observe([]) == []


def test_elements_of_an_array_are_told_one_by_one(site: Site) -> None:
    if not site.runner.takes_arrays:
        with pytest.raises(Invalid, match="array"):
            site.runner.check(make(site.runner, array="0-9").spec)
        return
    if not site.runs_arrays:
        pytest.skip("this cluster has no arrays, or runs no programs")
    task = begin(site.runner, 'echo "$ATOLL_ARRAY_INDEX"; exit "$((ATOLL_ARRAY_INDEX == 3))"', array="1-3:2")
    seen = tasks.finish(site.runner, task)
    assert seen.state is TaskState.FAILED
    assert [(one.index, one.state, one.exit_code) for one in seen.elements] == [
        (1, TaskState.SUCCEEDED, 0),
        (3, TaskState.FAILED, 1),
    ]
    assert [site.runner.read_log(task, 0, 100, index).content for index in (1, 3)] == [b"1\n", b"3\n"]
    assert {path: text for path, text in tasks.files(site.runner, task).items() if path != "task.log"} == {
        "task-1.log": b"1\n",
        "task-3.log": b"3\n",
    }


def test_what_lies_on_the_cluster_is_removed_and_once_more(site: Site) -> None:
    task = begin(site.runner, RAN)
    tasks.finish(site.runner, task)
    assert "output/runs" in tasks.files(site.runner, task)
    site.runner.clean(task)
    site.runner.clean(task)
    assert [path for path in tasks.files(site.runner, task) if path.startswith("output/")] == []


def test_a_cluster_that_is_there_says_so(site: Site) -> None:
    info = site.runner.info()
    assert info.state == "up"
    assert info.partitions


def test_a_cluster_that_nobody_answers_for_is_down(site: Site) -> None:
    task = make(site.down)
    package = tasks.package(site.down, task, RAN)
    calls: dict[str, Callable[[], object]] = {
        "find": lambda: site.down.find(task),
        "submit": lambda: site.down.submit(task, package),
        "observe": lambda: site.down.observe([tasks.known(task, "1")]),
        "cancel": lambda: site.down.cancel(tasks.known(task, "1")),
    }
    assert [name for name, call in calls.items() if not is_down(call)] == []
    info = site.down.info()
    assert info.state == "down"
    assert info.detail


def test_a_preview_asks_nobody(site: Site) -> None:
    task = make(site.down)
    assert task.name in site.down.preview(task)


def test_what_the_cluster_refuses_is_told_in_its_words(site: Site) -> None:
    if site.refused is None:
        pytest.skip("this cluster refuses nothing that was not refused before")
    runner, fields = site.refused
    task = make(runner, **fields)
    with pytest.raises(ClusterRefused) as caught:
        runner.submit(task, tasks.package(runner, task, RAN))
    assert caught.value.detail
    assert runner.observe([]) == []
