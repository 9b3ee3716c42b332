"""Fixtures of the tests of tasks: a database of either kind, and a desk over it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.clock import FakeClock
from common.database import Database
from tests.common.submission.desk import Desk
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
    "desk",
    "make_desk",
    "postgresql_server",
    "postgresql_template",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]


@pytest.fixture
def make_desk(database: Database, clock: FakeClock, tmp_path: Path) -> Callable[..., Desk]:
    def make(**options: Any) -> Desk:
        return Desk(database, tmp_path, clock, **options)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
