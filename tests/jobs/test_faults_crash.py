"""PostgreSQL itself crashes, while the worker lives on: what was promised before the crash is still there."""

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from common.clock import SystemClock
from common.database import Database
from common.jobs.studies import open_study, trials_of
from tests.jobs.kernel import Kernel
from tests.support import backends
from tests.support.backends import Missing, PostgresServer, Stop


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Keeps what need not be durable in its memory for as long as it can."""
    try:
        server = PostgresServer(("-c", "wal_writer_delay=10000ms"))
    except Missing as exc:
        backends.missing(str(exc))
    server.start()
    yield server
    server.close()


@pytest.fixture
def kernel(server: PostgresServer, tmp_path: Path) -> Iterator[Kernel]:
    database = Database(f"{server.url}/postgres")
    database.migrate()
    yield Kernel(database, tmp_path, SystemClock())  # type: ignore[arg-type]
    database.close()


def crash(server: PostgresServer) -> None:
    server.stop(Stop.CRASH)
    server.start()


def test_a_finished_trial_survives_a_crash_of_the_database(kernel: Kernel, server: PostgresServer) -> None:
    begun = kernel.begin()
    study = open_study(kernel.database, begun.id, begun, "minimize", optuna.pruners.NopPruner())
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    study.tell(trial, 0.5)
    crash(server)
    [kept] = trials_of(kernel.database, begun.id)
    assert (kept["state"], kept["value"]) == ("complete", 0.5)
    # What the worker remembers is what the database has.
    study.tell(study.ask(), 0.25)
    assert [each["value"] for each in trials_of(kernel.database, begun.id)] == [0.5, 0.25]


def test_a_checkpoint_survives_a_crash_of_the_database(kernel: Kernel, server: PostgresServer) -> None:
    begun = kernel.begin()
    kernel.store.save_checkpoint(begun.id, begun.epoch, b"half")
    crash(server)
    assert kernel.store.load_checkpoint(begun.id) == b"half"


def test_an_end_survives_a_crash_of_the_database(kernel: Kernel, server: PostgresServer) -> None:
    ended = kernel.finish(kernel.begin())
    crash(server)
    assert kernel.get(ended) == ended


def test_an_accepted_job_survives_a_crash_of_the_database_and_is_sent_to_its_queue(
    kernel: Kernel, server: PostgresServer
) -> None:
    job = kernel.submit()
    crash(server)
    assert [waiting.id for waiting in kernel.store.unqueued(0) + kernel.store.overlooked(job.queue, 0)] == [job.id]
