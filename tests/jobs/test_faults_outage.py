"""A database that is away for longer than any message may come back: no job dies of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.clock import FakeClock
from common.database import Database
from common.database import database as database_module
from common.jobs import attempt, runner
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message
from common.jobs.states import State
from common.jobs.worker import POISON_COUNT
from tests.jobs.kernel import QUEUE, Kernel
from tests.support import backends
from tests.support.backends import Missing, PostgresServer, Stop


class OneQueue:
    """A queue that does not lie in the database; counts how often each message came."""

    poll_s = 1.0

    def __init__(self) -> None:
        self.counts: list[int] = [0]

    def send(self, queue: str, job_id: str, delay_s: float = 0.0) -> None:
        self.counts.append(0)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except Missing as exc:
        backends.missing(str(exc))
    server.start()
    yield server
    server.close()


def test_a_message_is_not_counted_for_an_outage_of_the_database(
    server: PostgresServer, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once is enough here, and to write each failure's traceback takes longer than anything else.
    monkeypatch.setattr(attempt, "_STORE_TRIES", 1)
    monkeypatch.setattr(database_module, "_TRIES", 1)
    monkeypatch.setattr(runner.log, "error", lambda *_, **__: None)
    database = Database(f"{server.url}/postgres")
    database.migrate()
    queue: Any = OneQueue()
    kernel = Kernel(database, tmp_path, clock, queue)
    job = kernel.submit()
    server.stop(Stop.CRASH)
    for _ in range(POISON_COUNT + 1):
        message = Message("id", QUEUE, job.id, "", queue.counts[-1] + 1)
        queue.counts[-1] += 1
        assert kernel.runner.handle(message) is Disposition.GIVE_BACK
        assert kernel.runner.postpone(message)
    assert max(queue.counts) == 1
    server.start()
    assert kernel.run(job).state is State.SUCCEEDED
    database.close()


def test_a_message_that_is_not_handled_for_another_reason_is_counted(kernel: Kernel) -> None:
    job = kernel.submit()
    assert not kernel.runner.postpone(Message("id", QUEUE, job.id, "", 1))
    assert kernel.queue.depth(QUEUE).length == 1
