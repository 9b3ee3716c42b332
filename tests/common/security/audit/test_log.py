"""Rows and lines of the audit log, in each kind of database."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from common.clock import SystemClock
from common.database import Database
from common.security.audit import Record, audit, recording
from common.security.audit import log as module
from common.security.audit.refusals import EVERY_S, Refusals
from common.security.audit.trail import Trail, Wanted, prune_older
from common.security.principal import Principal
from common.telemetry import metrics

ADA = Principal("key:ada", "key", frozenset(), name="Ada")
BOB = Principal("oidc:bob", "token", frozenset(), name="Bob")


class Lines:
    """What was logged."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **values: Any) -> None:
        self.found.append((event, values))

    error = info

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.found]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    lines = Lines()
    monkeypatch.setattr(module, "log", lines)
    return lines


@pytest.fixture
def trail(database: Database) -> Iterator[Trail]:
    """The rows; what is recorded goes there."""
    with recording(database):
        yield Trail(database)


def actions(found: Any) -> list[str]:
    return [record.action for record in found]


def test_an_action_is_one_line_and_one_row(trail: Trail, lines: Lines) -> None:
    audit("key.created", by=ADA, target="atl_x", scopes=["predict"])
    (record,) = trail.list()
    assert isinstance(record, Record)
    assert (record.action, record.actor_id, record.target, record.details) == (
        "key.created",
        "key:ada",
        "atl_x",
        {"scopes": ["predict"]},
    )
    assert lines.events == ["key.created"]
    assert lines.found[0][1]["record"] == record.id
    assert abs(SystemClock().now() - record.at) < timedelta(minutes=5)


def test_within_a_transaction_the_row_and_the_line_are_there_when_it_is_committed(
    trail: Trail, database: Database, lines: Lines
) -> None:
    with database.transaction() as connection:
        audit("job.cancelled", by=ADA, target="j", connection=connection)
        assert lines.events == []
    assert lines.events == actions(trail.list()) == ["job.cancelled"]


def test_an_action_that_is_rolled_back_leaves_neither(trail: Trail, database: Database, lines: Lines) -> None:
    def work(connection: sa.Connection) -> None:
        audit("job.cancelled", by=ADA, target="j", connection=connection)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(work)
    assert lines.events == actions(trail.list()) == []


def test_a_transaction_that_is_run_again_is_told_once(trail: Trail, database: Database, lines: Lines) -> None:
    runs = []

    def work(connection: sa.Connection) -> None:
        audit("job.cancelled", by=ADA, target="j", connection=connection)
        runs.append(1)
        if len(runs) == 1:
            raise sa.exc.OperationalError("", {}, Exception("database is locked"))

    database.write(work)
    assert len(runs) == 2
    assert lines.events == actions(trail.list()) == ["job.cancelled"]


def test_a_row_that_cannot_be_written_is_told_by_the_log_and_undoes_nothing(
    trail: Trail, database: Database, lines: Lines
) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE audit_log")
    before = metrics.AUDIT_UNWRITTEN._value.get()
    audit("dataset.deleted", by=ADA, target="a/b.csv")
    assert lines.events == ["dataset.deleted", "audit row cannot be written"]
    assert lines.found[0][1]["target"] == "a/b.csv"
    assert metrics.AUDIT_UNWRITTEN._value.get() == before + 1


def test_records_are_found_by_who_what_and_when(trail: Trail, database: Database) -> None:
    for by, action, outcome in [
        (ADA, "key.created", "done"),
        (BOB, "key.revoked", "done"),
        (BOB, "keyring.made", "done"),
        (ADA, "access.refused", "refused"),
    ]:
        audit(action, by=by, target="t", outcome=outcome)
    assert actions(trail.list()) == ["access.refused", "keyring.made", "key.revoked", "key.created"]
    assert actions(trail.list(Wanted(who="key:ada"))) == ["access.refused", "key.created"]
    assert actions(trail.list(Wanted(who="Bob"))) == ["keyring.made", "key.revoked"]
    assert actions(trail.list(Wanted(action="key"))) == ["key.revoked", "key.created"]
    assert actions(trail.list(Wanted(action="key.created"))) == ["key.created"]
    assert actions(trail.list(Wanted(action="%"))) == []
    assert actions(trail.list(Wanted(outcome="refused"))) == ["access.refused"]
    moment = trail.list()[1].at
    assert actions(trail.list(Wanted(after=moment))) == ["access.refused", "keyring.made"]
    assert actions(trail.list(Wanted(before=moment))) == ["key.revoked", "key.created"]


def test_pages_follow_each_other_without_a_gap(trail: Trail) -> None:
    for number in range(5):
        audit("thing.done", by=ADA, target=str(number))
    first = trail.list(limit=2)
    second = trail.list(cursor=first[-1].id, limit=3)
    assert [record.target for record in [*first, *second]] == ["4", "3", "2", "1", "0"]


def test_only_old_records_are_removed(trail: Trail) -> None:
    audit("thing.done", by=ADA, target="t")
    at = trail.list()[0].at
    assert prune_older(trail, 30, at + timedelta(days=29)) == 0
    assert prune_older(trail, 30, at + timedelta(days=31)) == 1
    assert trail.list() == []


def test_the_same_refusal_is_recorded_once_a_minute(clock: Any) -> None:
    refusals = Refusals(clock)
    assert [refusals.is_due(ADA, "GET /keys"), refusals.is_due(ADA, "GET /keys")] == [True, False]
    assert refusals.is_due(BOB, "GET /keys")
    assert refusals.is_due(ADA, "GET /audit")
    clock.advance(EVERY_S)
    assert refusals.is_due(ADA, "GET /keys")


def test_refusals_of_many_callers_take_bounded_memory(clock: Any) -> None:
    refusals = Refusals(clock)
    for number in range(5000):
        refusals.is_due(Principal(f"key:{number}", "key", frozenset()), "GET /keys")
    assert len(refusals._told_s) <= 1000
