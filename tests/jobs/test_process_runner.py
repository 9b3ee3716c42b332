"""Jobs in processes of their own: whatever one does, its worker lives, and its CPU is free once nobody wants it."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from common.clock import SystemClock
from common.database import Database
from common.jobs.process_runner import ProcessRunner, failure_of_exit
from common.jobs.queues.table import TableQueue
from common.jobs.records import Job
from common.jobs.service import JobService
from common.jobs.states import Kind, State
from common.jobs.store import JobStore
from common.jobs.worker import Worker
from common.settings import DatabaseSettings, JobSettings, Settings, StorageSettings
from tests.jobs import isolated
from tests.jobs.kernel import QUEUE, in_thread, wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and process groups")


class Isolated:
    """A worker whose jobs run in processes of their own, over a real database."""

    def __init__(self, url: str, folder: Path, concurrency: int = 1, **jobs: float) -> None:
        self.folder = folder
        chosen = {"heartbeat_s": 0.2, "retry_base_s": 0.01, "cancel_grace_s": 0.2, "drain_s": 0.0, **jobs}
        self.settings = Settings(
            database=DatabaseSettings(url=url),
            jobs=JobSettings(**chosen),  # type: ignore[arg-type]  # of several types
            storage=StorageSettings(state_dir=folder),
        )
        self.clock = SystemClock()
        self.runner = isolated.build(self.settings)
        self.store: JobStore = self.runner._store
        self.database: Database = self.store._database
        self.queue = TableQueue(self.database, self.clock)
        self.processes = ProcessRunner(self.runner, self.store, self.settings, self.clock, isolated.build)
        self.service = JobService(self.store, self.runner, self.settings.jobs, self.clock)
        self.service.handler = self.processes
        self.worker = Worker(self.queue, self.processes, [QUEUE], self.settings.jobs, self.clock, concurrency)
        self.thread = in_thread(self.worker.run)

    def submit(self, what: str, deadline_s: float | None = None) -> Job:
        deadline = datetime.now(UTC) + timedelta(seconds=deadline_s) if deadline_s else None
        return self.service.submit(Kind.TRAINING, f"/{what}", b"{}", deadline=deadline).job

    def begun(self, job: Job, epoch: int = 1) -> psutil.Process:
        """The process that runs the job's attempt, once it does."""
        path = self.folder / f"{job.id}-{epoch}"
        wait_until(lambda: path.exists() and path.read_text(), "the attempt")
        return psutil.Process(int(path.read_text()))

    def ended(self, job: Job) -> Job:
        wait_until(lambda: self.store.get(job.id).state.is_finished, f"the end of {job.path}")
        return self.store.get(job.id)

    def answer(self, job: Job) -> int:
        """The number of the process that answered."""
        ended = self.ended(job)
        result = self.store.result(ended)
        assert result is not None, ended.error
        return int(result.body)

    def close(self) -> None:
        self.worker.stop()
        self.thread.join()
        self.processes.close()
        self.database.close()


def is_gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Isolated]]:
    url = request.getfixturevalue(f"{request.param}_url")
    made: list[Isolated] = []

    def make(**options: float) -> Isolated:
        database = Database(url)
        database.migrate()
        database.close()
        made.append(Isolated(url, tmp_path, **options))  # type: ignore[arg-type]  # concurrency is an int
        return made[-1]

    yield make
    for system in made:
        system.close()


@pytest.fixture
def system(make: Callable[..., Isolated]) -> Isolated:
    return make()


def test_one_process_runs_one_job_after_the_other(system: Isolated) -> None:
    first, second = system.submit("answer"), system.submit("answer")
    assert system.answer(first) == system.answer(second) != os.getpid()


def test_jobs_that_run_at_once_have_a_process_each(make: Callable[..., Isolated]) -> None:
    system = make(concurrency=2)
    first, second = system.submit("wait"), system.submit("wait")
    assert system.begun(first).pid != system.begun(second).pid


def test_progress_and_what_the_code_prints_reach_the_record_without_secrets(
    make: Callable[..., Isolated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_PASSWORD", "correct horse battery")
    system = make()
    job = system.ended(system.submit("tell"))
    assert (job.state, job.fraction, job.message) == (State.SUCCEEDED, 0.5, "half way")
    lines = [line.text for line in system.store.logs(job.id)]
    assert lines == ["half a line", "connecting with ***"]


@pytest.mark.parametrize("what", ["wait", "spin", "hold", "start_program"])
def test_a_cancelled_job_is_really_stopped_whatever_it_does(system: Isolated, what: str) -> None:
    job = system.submit(what)
    process = system.begun(job)
    system.service.cancel(job.id)
    assert system.ended(job).state is State.CANCELLED
    wait_until(lambda: is_gone(process), "the end of its process")
    assert system.answer(system.submit("answer")) != process.pid


def test_what_a_cancelled_job_started_is_stopped_with_it(system: Isolated) -> None:
    job = system.submit("start_program")
    path = system.folder / "program"
    wait_until(lambda: path.exists() and path.read_text(), "the program")
    program = psutil.Process(int(path.read_text()))
    system.service.cancel(job.id)
    wait_until(lambda: is_gone(program), "the end of the program")


@pytest.mark.parametrize("what", ["wait", "hold"])
def test_a_job_cancelled_from_another_process_is_stopped_too(system: Isolated, what: str) -> None:
    job = system.submit(what)
    process = system.begun(job)
    # As another process does it: only the record changes.
    system.store.request_cancel(job.id)
    assert system.ended(job).state is State.CANCELLED
    wait_until(lambda: is_gone(process), "the end of its process")


@pytest.mark.parametrize("what", ["spin", "hold"])
def test_a_job_past_its_deadline_is_stopped(system: Isolated, what: str) -> None:
    job = system.submit(what, deadline_s=3)
    process = system.begun(job)
    ended = system.ended(job)
    assert (ended.state, ended.error) == (State.FAILED, "its deadline passed while it ran")
    wait_until(lambda: is_gone(process), "the end of its process")


def test_a_job_that_keeps_the_interpreter_for_itself_does_not_look_dead(make: Callable[..., Isolated]) -> None:
    system = make(heartbeat_s=0.1)
    job = system.submit("hold")
    system.begun(job)
    first = system.store.get(job.id).heartbeat_at
    assert first is not None
    wait_until(lambda: (system.store.get(job.id).heartbeat_at or first) > first, "a heartbeat")


def test_a_job_whose_process_is_killed_is_tried_again_at_once(system: Isolated) -> None:
    job = system.submit("doze")
    system.begun(job).send_signal(signal.SIGKILL)
    system.begun(job, epoch=2)
    assert system.ended(job).state is State.SUCCEEDED
    first, second = system.store.attempts(job.id)
    assert first.error == "the job's process was killed by SIGKILL; there may not have been enough memory"
    assert (first.outcome, second.outcome) == ("retry", "succeed")


def test_a_job_whose_process_is_killed_with_the_one_that_makes_them_is_tried_again(system: Isolated) -> None:
    job = system.submit("wait")
    process = system.begun(job)
    maker = process.parent()
    assert maker is not None
    for killed in (maker, process):
        killed.kill()
    again = system.begun(job, epoch=2)
    assert again.parent() not in (None, maker)
    [lost, _] = system.store.attempts(job.id)
    assert lost.outcome == "retry"


def test_a_job_that_crashes_its_process_costs_an_attempt(system: Isolated) -> None:
    job = system.ended(system.submit("crash"))
    assert (job.state, job.attempts) == (State.SUCCEEDED, 2)
    assert system.store.attempts(job.id)[0].error == "the job's process was killed by SIGSEGV"


def test_a_job_that_ends_its_process_fails_with_the_reason(system: Isolated) -> None:
    job = system.ended(system.submit("leave_process"))
    assert (job.state, job.error) == (State.FAILED, "the model's code ended its process with exit code 3")


def test_a_job_that_takes_all_memory_fails_with_the_reason_and_the_worker_lives(make: Callable[..., Isolated]) -> None:
    system = make(memory_bytes=600_000_000)
    job = system.ended(system.submit("allocate"))
    assert (job.state, job.error) == (State.FAILED, "the job needs more memory than its worker has")
    system.answer(system.submit("answer"))


def test_a_job_that_was_given_up_elsewhere_is_not_run_to_its_end(
    system: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.jobs.process_runner._SAY_SO_S", 0.1)
    job = system.submit("wait")
    process = system.begun(job)
    beat = next(beat for beat in system.store.beats() if beat.job_id == job.id)
    with system.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE jobs SET epoch = epoch + 1")
    assert beat.epoch == 1
    wait_until(lambda: is_gone(process), "the end of its process")


def test_a_worker_that_has_to_leave_puts_back_even_a_job_that_hears_nothing(system: Isolated) -> None:
    job = system.submit("hold")
    process = system.begun(job)
    system.worker.stop()
    system.thread.join()
    left = system.store.get(job.id)
    assert (left.state, left.attempts) == (State.QUEUED, 0)
    wait_until(lambda: is_gone(process), "the end of its process")


@pytest.mark.parametrize(
    ("code", "text", "refused"),
    [
        (3, "the model's code ended its process with exit code 3", True),
        (-11, "the job's process was killed by SIGSEGV", False),
        (-9, "the job's process was killed by SIGKILL; there may not have been enough memory", False),
        (-200, "the job's process was killed by signal 200", False),
    ],
)
def test_the_end_of_a_process_is_told_in_words(code: int, text: str, refused: bool) -> None:
    failure = failure_of_exit(code)
    assert (failure.text, failure.refused) == (text, refused)
