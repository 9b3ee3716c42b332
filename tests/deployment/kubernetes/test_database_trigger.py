"""What KEDA asks the database, put to a real PostgreSQL with Atoll's own queue in it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from common.clock import SystemClock
from common.database import Database
from common.jobs.queues.table import TableQueue
from deployment.manifests.staying import unfinished
from deployment.manifests.workloads import waiting
from tests.support import backends


@pytest.fixture
def database() -> Iterator[Database]:
    with backends.postgresql() as url:
        made = Database(f"{url}/postgres")
        made.migrate()
        yield made
        made.close()


def test_only_messages_that_nobody_handles_and_that_are_due_are_counted(database: Database) -> None:
    queue, name = TableQueue(database, SystemClock()), "prediction-cpu"
    for job in ("first", "second", "third"):
        queue.send(name, job)
    queue.send(name, "later", delay_s=3600)
    queue.send("training-cpu", "other")
    queue.receive(name, 1, visibility_s=60)
    assert _answer(database, waiting(name)) == 2
    # For workers that stay, those count too that somebody handles.
    assert _answer(database, unfinished(name)) == 4


def _answer(database: Database, question: str) -> int:
    return int(database.read(lambda connection: connection.execute(sa.text(question)).scalar_one()))
