"""A process that dies at any step of a task's life, clusters and databases that fail, two who act at once: no task is
lost, no program runs twice, and nothing lives on a cluster that no task follows.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from common.clock import FakeClock
from common.database import Database
from common.submission.errors import ClusterDown
from common.submission.records import Known, Package, Submission, Task
from common.submission.runners.fake import FakeCluster
from common.submission.states import TaskState
from tests.common.submission.desk import Desk
from tests.common.submission.fixtures import *  # noqa: F403

STEP_S = 25.0


@pytest.fixture(autouse=True)
def _unprinted() -> Iterator[None]:
    """A traceback for each of hundreds of deaths would take most of the time."""
    with capture_logs():
        yield


class Died(Exception):
    """What code of a dead process sees. Whatever it does about it has no effect any more."""


class Mortal:
    """Counts what a process does to the outside, and lets it die at a step: before that is done, or right after it."""

    def __init__(self, dies_at: int | None = None, *, after: bool = False) -> None:
        self.steps = 0
        self.is_dead = False
        self._dies_at = dies_at
        self._after = after
        self._lock = threading.RLock()

    def do(self, work: Callable[[], Any]) -> Any:
        with self._lock:
            if self.is_dead:
                raise Died
            self.steps += 1
            is_last = self.steps == self._dies_at
            if is_last and not self._after:
                self.is_dead = True
                raise Died
            try:
                return work()
            finally:
                if is_last:
                    self.is_dead = True


class MortalDatabase:
    """A database as a mortal process sees it."""

    def __init__(self, database: Database, life: Mortal) -> None:
        self._database = database
        self._life = life

    def write(self, *args: Any, **options: Any) -> Any:
        answer = self._life.do(lambda: self._database.write(*args, **options))
        if self._life.is_dead:
            raise Died
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class MortalCluster:
    """A cluster as a mortal process sees it."""

    def __init__(self, cluster: FakeCluster, life: Mortal) -> None:
        self._cluster = cluster
        self._life = life

    def call(self, method: str, work: Callable[[], Any]) -> Any:
        answer = self._life.do(lambda: self._cluster.call(method, work))
        if self._life.is_dead:
            raise Died
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


def progress(cluster: FakeCluster, outcome: TaskState = TaskState.SUCCEEDED) -> None:
    """Time passes on the cluster: what waits begins, and what runs ends."""
    for job in cluster.live():
        number = cluster.of(job.task.name).index(job)
        if job.observation.state is TaskState.RUNNING:
            cluster.finish(job.task.name, outcome, {"task.log": b"done\n", "output/x": b"1"}, number)
        else:
            cluster.start(job.task.name, number)


def live_on(desk: Desk, outcome: TaskState = TaskState.SUCCEEDED, rounds: int = 60) -> None:
    """Another process takes over, until nothing is left to do."""
    quiet = 0
    for _ in range(rounds):
        desk.kernel.scheduler.tick()
        handled = desk.work()
        desk.look()
        progress(desk.cluster, outcome)
        desk.clock.advance(STEP_S)
        jobs = desk.kernel.execute("SELECT id FROM jobs WHERE finished_at IS NULL")
        tasks = desk.kernel.execute("SELECT id FROM tasks WHERE finished_at IS NULL OR files = 'collecting'")
        quiet = 0 if handled or jobs or tasks or desk.cluster.live() else quiet + 1
        if quiet > 1:
            return
    raise AssertionError("it does not come to rest")


def plain(desk: Desk) -> None:
    desk.submit()
    desk.work()
    desk.look()
    progress(desk.cluster)
    desk.look()
    progress(desk.cluster)
    desk.look()
    desk.work()


def cancelled(desk: Desk) -> None:
    task = desk.submit()
    desk.work()
    desk.service.cancel(task.id)
    desk.work()
    desk.look()
    desk.work()


def failing(desk: Desk) -> None:
    desk.submit(retries=1)
    desk.work()
    for _ in range(2):
        desk.look()
        progress(desk.cluster)
        desk.look()
        progress(desk.cluster, TaskState.FAILED)
        desk.look()
        desk.work()


def depending(desk: Desk) -> None:
    first = desk.submit()
    desk.submit(dependencies=(first.id,))
    desk.work()
    for _ in range(3):
        progress(desk.cluster)
        desk.look()
        desk.work()


SCENARIOS: dict[str, tuple[Callable[[Desk], None], TaskState]] = {
    "plain": (plain, TaskState.SUCCEEDED),
    "cancelled": (cancelled, TaskState.SUCCEEDED),
    "failing": (failing, TaskState.FAILED),
    "depending": (depending, TaskState.SUCCEEDED),
}


def all_tasks(desk: Desk) -> list[Task]:
    return list(desk.store.list(limit=500).tasks)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_process_may_die_at_any_step(
    database: Database, clock: FakeClock, tmp_path: Path, scenario: str, after: bool
) -> None:
    run, outcome = SCENARIOS[scenario]
    step = 0
    while True:
        # The steps are the same for every database; not all of them on both.
        step += 1 if database.is_sqlite else 4
        cluster = FakeCluster(clock.now)
        life = Mortal(step, after=after)
        before = {row.id for row in database.read(lambda c: c.execute(sa.text("SELECT id FROM tasks")).all())}
        dying = Desk(MortalDatabase(database, life), tmp_path, clock, cluster=MortalCluster(cluster, life))  # type: ignore[arg-type]
        with contextlib.suppress(Died):
            run(dying)
        if not life.is_dead:
            break
        desk = Desk(database, tmp_path, clock, cluster=cluster)
        live_on(desk, outcome)
        # Nothing lives on, and no program of an attempt ran twice.
        assert cluster.live() == [], f"orphan after step {step}"
        assert len(cluster.runs) == len(set(cluster.runs)), f"twin after step {step}"
        for task in all_tasks(desk):
            if task.id not in before:
                assert task.state in (outcome, TaskState.CANCELLED), f"{task.state} after step {step}"
                assert task.state is TaskState.CANCELLED or task.files == "complete", f"{task.files}, step {step}"
                if scenario == "plain":
                    assert task.state is TaskState.SUCCEEDED
                    assert sorted(desk.files(task)) == ["output/x", "task.log"]
                if scenario == "failing":
                    assert [task.attempt, *(one["files"] for one in task.earlier)] == [2, "complete"], f"step {step}"
    assert step > 10


@pytest.mark.parametrize("twins", [False, True], ids=["the cluster takes twins", "the cluster refuses twins"])
def test_a_submission_that_happened_while_the_caller_saw_a_time_out_is_found(desk: Desk, twins: bool) -> None:
    desk.cluster.refuses_twins = twins
    task = desk.submit()
    desk.cluster.fail("submit", after=True)
    desk.work()
    assert desk.state(task) is TaskState.SUBMITTING
    live_on(desk)
    assert (len(desk.cluster.jobs), desk.cluster.runs, desk.state(task)) == (1, [task.name], TaskState.SUCCEEDED)


def test_a_submission_that_timed_out_and_came_late_is_found(desk: Desk) -> None:
    """The first try is still under way on the cluster while the second one looks, and finds nothing."""
    task = desk.submit()
    late: list[Submission] = []
    submit = desk.cluster.submit

    def hang(given: Submission, files: Any) -> str:
        late.append(given)
        raise ClusterDown("no answer in time")

    desk.cluster.submit = hang  # type: ignore[method-assign,assignment]
    desk.work()
    desk.cluster.submit = submit  # type: ignore[method-assign]
    desk.clock.advance(10)
    desk.work()
    submit(late[0], {})
    live_on(desk)
    assert (len(desk.cluster.jobs), desk.cluster.runs, desk.state(task)) == (2, [task.name], TaskState.SUCCEEDED)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_fails_at_random_every_task_comes_to_its_end_once(make_desk: Callable[..., Desk], seed: int) -> None:
    rng = random.Random(seed)
    desk = make_desk()
    call = desk.cluster.call

    def faulty(method: str, work: Callable[[], Any]) -> Any:
        if rng.random() < 0.3:
            raise ClusterDown("did not happen")
        answer = call(method, work)
        if rng.random() < 0.3:
            raise ClusterDown("happened, but nobody was told")
        return answer

    desk.cluster.call = faulty  # type: ignore[method-assign]
    tasks = [desk.submit() for _ in range(4)]
    asked = desk.submit()
    for number in range(12):
        desk.kernel.scheduler.tick()
        desk.work()
        desk.look()
        progress(desk.cluster)
        if number == 1 and not desk.state(asked).is_finished:
            desk.service.cancel(asked.id)
        desk.clock.advance(STEP_S)
    desk.cluster.call = call  # type: ignore[method-assign]
    live_on(desk)
    assert {desk.state(task) for task in tasks} == {TaskState.SUCCEEDED}
    assert desk.state(asked) in (TaskState.CANCELLED, TaskState.SUCCEEDED)
    assert desk.cluster.live() == []
    assert sorted(desk.cluster.runs) == sorted(set(desk.cluster.runs))
    assert {desk.get(task).files for task in tasks} == {"complete"}


def test_a_database_that_is_away_between_submitting_and_recording_costs_nothing(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    cluster = FakeCluster(clock.now)
    life = Mortal()
    desk = Desk(MortalDatabase(database, life), tmp_path, clock, cluster=cluster)  # type: ignore[arg-type]
    task = desk.submit()
    submit = cluster.submit

    def submit_and_lose_the_database(given: Submission, files: Any) -> str:
        answer = submit(given, files)
        life.is_dead = True
        return answer

    cluster.submit = submit_and_lose_the_database  # type: ignore[method-assign,assignment]
    with contextlib.suppress(Died):
        desk.work()
    life.is_dead = False
    cluster.submit = submit  # type: ignore[method-assign]
    assert desk.get(task).cluster_job_id is None
    live_on(desk)
    assert (desk.state(task), len(cluster.jobs)) == (TaskState.SUCCEEDED, 1)


def test_two_reconcilers_at_once_do_what_one_does(make_desk: Callable[..., Desk]) -> None:
    desks = [make_desk() for _ in range(2)]
    tasks = [desks[0].running(retries=1) for _ in range(8)]
    cluster = desks[0].cluster
    desks[1].runner.cluster = cluster
    for number, task in enumerate(tasks):
        cluster.finish(task.name, TaskState.FAILED if number % 2 else TaskState.SUCCEEDED)
    barrier = threading.Barrier(4)

    def look(desk: Desk) -> None:
        barrier.wait()
        desk.look()

    threads = [threading.Thread(target=look, args=(desks[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desks[0].work()
    for number, task in enumerate(tasks):
        found = desks[0].get(task)
        assert (found.attempt, found.state) == ((2, TaskState.PENDING) if number % 2 else (1, TaskState.SUCCEEDED))
        paths = [job.path.rpartition("/")[2] for job in desks[0].jobs_of(task)]
        expected = ["submit?attempt=1", "collect?attempt=1"] + (["submit?attempt=2"] if number % 2 else [])
        assert sorted(paths) == sorted(expected)


@pytest.mark.parametrize("moment", ["before submitting", "while submitting", "after submitting"])
def test_a_task_that_is_cancelled_while_it_is_handed_over_is_cancelled(desk: Desk, moment: str) -> None:
    task = desk.submit()
    submit = desk.runner.submit

    def race(given: Submission, package: Package) -> str:
        if moment == "before submitting":
            desk.service.cancel(task.id)
        answer = submit(given, package)
        if moment == "while submitting":
            desk.service.cancel(task.id)
        return answer

    desk.runner.submit = race  # type: ignore[method-assign,assignment]
    desk.work(1)
    if moment == "after submitting":
        desk.service.cancel(task.id)
    desk.runner.submit = submit  # type: ignore[method-assign]
    live_on(desk)
    assert desk.state(task) is TaskState.CANCELLED
    assert desk.cluster.live() == []


def test_a_task_that_is_cancelled_while_its_cluster_is_down_is_never_submitted(desk: Desk) -> None:
    desk.cluster.is_down = True
    task = desk.submit()
    desk.work()
    assert desk.service.cancel(task.id).state is TaskState.SUBMITTING
    for _ in range(3):
        desk.work()
        desk.look()
        desk.clock.advance(60)
    desk.cluster.is_down = False
    live_on(desk)
    assert (desk.state(task), desk.cluster.jobs) == (TaskState.CANCELLED, [])


def test_a_worker_that_was_held_up_until_another_took_over_submits_no_more(
    make_desk: Callable[..., Desk], clock: FakeClock
) -> None:
    slow, quick = make_desk(), make_desk()
    quick.runner.cluster = quick.cluster = slow.cluster
    task = slow.submit()
    packer = slow.system.executor._packer
    package = packer.package

    def held_up(given: Task, runner: Any) -> Any:
        # Meanwhile its heartbeat is missed, and another process runs the job to its end.
        clock.advance(60)
        quick.work()
        quick.kernel.scheduler.tick()
        clock.advance(60)
        quick.kernel.scheduler.tick()
        clock.advance(60)
        quick.kernel.scheduler.tick()
        clock.advance(60)
        quick.work()
        return package(given, runner)

    packer.package = held_up  # type: ignore[method-assign,assignment]
    slow.work(1)
    live_on(quick)
    assert (len(slow.cluster.jobs), quick.state(task)) == (1, TaskState.SUCCEEDED)


def test_two_cancels_and_an_end_at_once_agree(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    task = desk.running()
    cancel = desk.runner.cancel

    def ended_meanwhile(known: Known) -> None:
        desk.cluster.finish(task.name)
        cancel(known)

    desk.runner.cancel = ended_meanwhile  # type: ignore[method-assign]
    desk.service.cancel(task.id)
    live_on(desk)
    assert (desk.state(task), desk.get(task).files) == (TaskState.SUCCEEDED, "complete")
