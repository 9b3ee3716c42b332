"""What a process does for tasks in the background: nothing where there are none."""

from datetime import timedelta
from pathlib import Path

from common.database import Database
from common.jobs.handling import ByQueue, Disposition
from common.jobs.queues.base import Message
from common.jobs.queues.names import queue_names, submission_queues
from common.settings import JobSettings, PluginSettings, Settings
from common.submission.following import Following
from common.submission.states import TaskState
from common.submission.system import TaskSystem
from tests.common.submission.desk import Desk
from tests.common.submission.fixtures import *  # noqa: F403
from tests.support.servers import run_python

CODE = """
import sys
from common.app import create_app
app = create_app()
jobs = app.state.runtime.jobs
jobs.scheduler.tick()
print(sorted(name for name in sys.modules if name.startswith(("asyncssh", "common.submission."))))
"""
HEAVY = ("store", "service", "executor", "reconcile", "collect", "package", "system", "catalogue", "runners")


class Asked:
    """Counts how often the task system was needed."""

    def __init__(self, system: TaskSystem) -> None:
        self.system = system
        self.times = 0

    def __call__(self) -> TaskSystem:
        self.times += 1
        return self.system


def test_a_process_that_sees_no_task_imports_nothing_that_looks_after_them(tmp_path: Path) -> None:
    run = run_python(["-c", CODE], tmp_path, {"SERVICE_MODEL": "sample"})
    assert run.returncode == 0, run.stderr
    imported = run.stdout.strip().splitlines()[-1]
    assert [name for name in HEAVY if f"'common.submission.{name}" in imported] == []
    assert "asyncssh" not in imported


def test_the_first_task_is_looked_after_and_the_last_one_a_little_longer(desk: Desk, database: Database) -> None:
    asked = Asked(desk.system)
    following = Following(database, desk.clock, asked)
    following.tick()
    assert asked.times == 0
    task = desk.running()
    desk.cluster.finish(task.name)
    following.tick()
    assert (asked.times, desk.state(task)) == (1, TaskState.SUCCEEDED)
    desk.work()
    desk.clock.advance(timedelta(hours=1).total_seconds())
    following.tick()
    assert asked.times == 1


def test_clusters_of_this_machine_are_looked_at_for_as_long_as_they_have_tasks(desk: Desk) -> None:
    desk.submitted()
    assert desk.system.look_quickly() is False
    desk.system.stopping.set()
    assert desk.system.look_quickly() is False


def test_old_tasks_are_removed_only_where_there_are_any(desk: Desk, database: Database) -> None:
    asked = Asked(desk.system)
    following = Following(database, desk.clock, asked)
    assert (following.remove_old(), asked.times) == (0, 0)
    desk.finished()
    desk.clock.advance(timedelta(days=31).total_seconds())
    assert (following.remove_old(), asked.times) == (1, 1)


class Noting:
    """A handler that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def handle(self, message: Message) -> Disposition:
        self.given.append(f"handle {message.queue}")
        return Disposition.DELETE

    def postpone(self, message: Message) -> bool:
        return False

    def handle_poison(self, job_id: str) -> None:
        self.given.append(f"poison {job_id}")

    def cancel_here(self, job_id: str) -> None:
        self.given.append(f"cancel {job_id}")

    def leave(self) -> None:
        self.given.append("leave")


def test_submissions_are_run_in_the_process_itself_and_all_else_isolated() -> None:
    isolated, itself = Noting(), Noting()
    both = ByQueue(isolated, itself, ["submission-cpu"])
    both.handle(Message("1", "training-cpu", "a", "", 1))
    both.handle(Message("2", "submission-cpu", "b", "", 1))
    both.handle_poison("c")
    both.cancel_here("d")
    both.leave()
    assert isolated.given == ["handle training-cpu", "poison c", "cancel d", "leave"]
    assert itself.given == ["handle submission-cpu", "cancel d", "leave"]


def settings(**jobs: object) -> Settings:
    return Settings(jobs=JobSettings(**jobs), plugins=PluginSettings())  # type: ignore[arg-type]


def test_submissions_have_a_queue_of_their_own_that_a_process_for_trainings_does_not_read() -> None:
    assert submission_queues(settings(worker_classes=("cpu", "train"))) == ["submission-cpu"]
    assert "submission-cpu" in queue_names(settings(worker_classes=("cpu",)))
    assert submission_queues(settings(worker_classes=("train",))) == []
