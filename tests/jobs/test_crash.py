"""Real worker processes, killed: over SQLite, PostgreSQL, and Azurite's queues."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from common.jobs.records import Job
from common.jobs.states import Kind, State
from common.jobs.system import JobSystem
from common.settings import CHECKOUT, DatabaseSettings, JobSettings, Settings, StorageSettings
from tests.jobs.kernel import wait_until

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=["sqlite", "postgresql", "azurite"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of the processes. `azurite`: queues there, records in PostgreSQL, as in production."""
    kind = "sqlite" if request.param == "sqlite" else "postgresql"
    chosen = {
        "DATABASE_URL": request.getfixturevalue(f"{kind}_url"),
        "ATOLL_STATE": str(tmp_path),
        "JOB_HEARTBEAT_S": "0.1",
        "JOB_STALL_S": "1",
        "JOB_RETRY_S": "0.1",
        "JOB_DRAIN_S": "0",
        # The executor below is given to this worker itself, not to processes that it would make.
        "JOB_ISOLATION": "thread",
        "SERVICE_MODEL": f"test{os.getpid()}x{tmp_path.name}",
    }
    if request.param == "azurite":
        chosen["AzureWebJobsStorage"] = request.getfixturevalue("azurite_server")
    return chosen


@pytest.fixture
def system(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[JobSystem]:
    """The submitter's and scheduler's side, in this process, with the same settings."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings(database=DatabaseSettings(), jobs=JobSettings(), storage=StorageSettings())
    system = JobSystem.build(settings, FastAPI())
    with system.database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE effects (job_id TEXT, epoch INTEGER)"))
    yield system
    system.queue.close()
    system.database.close()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts worker processes."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.jobs.crashing", str(tmp_path), *options]
        path = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        processes.append(subprocess.Popen(command, cwd=CHECKOUT, env=path | environment))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def submit(system: JobSystem) -> Job:
    return system.service.submit(Kind.TRAINING, "/model/train", b"{}").job


def effects(system: JobSystem) -> list[tuple[str, int]]:
    with system.database.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(sa.text("SELECT * FROM effects"))]


def run_to_the_end(system: JobSystem, job: Job) -> Job:
    """Let the scheduler do its rounds until the job has ended."""

    def is_finished() -> bool:
        system.scheduler.tick()
        return system.store.get(job.id).state.is_finished

    wait_until(is_finished, "the end of the job")
    return system.store.get(job.id)


def test_a_worker_killed_in_the_middle_of_a_job_costs_an_attempt_and_nothing_else(
    system: JobSystem, start: Start, tmp_path: Path
) -> None:
    job = submit(system)
    first = start("--slow")
    wait_until((tmp_path / f"{job.id}-1").exists, "the first attempt")
    first.send_signal(signal.SIGKILL)
    first.wait()
    start()
    ended = run_to_the_end(system, job)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 2)
    assert [attempt.outcome for attempt in system.store.attempts(job.id)] == ["lost", "succeed"]
    assert effects(system) == [(job.id, 2)]
    assert system.store.load_checkpoint(job.id) == b"begun"


def test_a_worker_told_to_end_puts_its_job_back_and_another_one_resumes_it(
    system: JobSystem, start: Start, tmp_path: Path
) -> None:
    job = submit(system)
    first = start("--slow")
    wait_until((tmp_path / f"{job.id}-1").exists, "the first attempt")
    first.terminate()
    assert first.wait() == 0
    assert system.store.get(job.id).state is State.QUEUED
    # No scheduler is needed for this.
    start("--once").wait()
    ended = system.store.get(job.id)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 1)
    assert effects(system) == [(job.id, 2)]


def test_a_worker_started_for_one_message_handles_one_and_ends(system: JobSystem, start: Start) -> None:
    made = [submit(system), submit(system)]
    assert start("--once").wait() == 0
    assert sorted(system.store.get(job.id).state for job in made) == [State.QUEUED, State.SUCCEEDED]
