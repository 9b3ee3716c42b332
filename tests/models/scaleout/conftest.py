import pytest

from common.clock import FakeClock
from common.database import Database
from models.scaleout.store import RunStore
from tests.jobs.conftest import (
    clock,
    database,
    database_url,
    postgresql_server,
    postgresql_template,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)

__all__ = [
    "clock",
    "database",
    "database_url",
    "postgresql_server",
    "postgresql_template",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]


@pytest.fixture
def store(database: Database, clock: FakeClock) -> RunStore:  # the fixture
    """Of either kind of database, in turn."""
    return RunStore(database, clock)
