"""The database: transactions, what is tried again and what is not, and the schema's history."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from common.database import Database
from common.errors import SettingsError
from common.jobs.tables import metadata
from common.migrations import config, head
from common.settings import CHECKOUT
from tests.jobs.conftest import (  # noqa: F401  # fixtures
    postgresql_server,
    postgresql_template,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(f"{request.param}_url"))
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE things (id INTEGER PRIMARY KEY, value INTEGER)"))
        connection.execute(sa.text("INSERT INTO things VALUES (1, 0), (2, 0)"))
    yield database
    database.close()


def add(connection: sa.Connection, thing: int = 1) -> None:
    connection.execute(sa.text("UPDATE things SET value = value + 1 WHERE id = :id"), {"id": thing})


def values(database: Database) -> list[int]:
    return database.read(lambda c: list(c.execute(sa.text("SELECT value FROM things ORDER BY id")).scalars()))


def test_a_transaction_left_by_an_error_changes_nothing(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        add(connection)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        database.write(work)
    assert values(database) == [0, 0]


def test_writers_that_read_first_lose_no_update(database: Database) -> None:
    def read_and_add(connection: sa.Connection) -> None:
        locking = "" if database.is_sqlite else " FOR UPDATE"
        seen = connection.execute(sa.text(f"SELECT value FROM things WHERE id = 1{locking}")).scalar_one()  # noqa: S608
        connection.execute(sa.text("UPDATE things SET value = :value WHERE id = 1"), {"value": seen + 1})

    threads = [
        threading.Thread(target=lambda: [database.write(read_and_add, durable=False) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(database)[0] == 80


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.transaction() as connection:
        add(connection)
        assert values(database) == [0, 0]


def test_two_transactions_that_block_each_other_both_come_to_an_end(database: Database) -> None:
    """On PostgreSQL one of them is broken off and run again; on SQLite they take turns."""
    meet = threading.Barrier(2)

    def work(connection: sa.Connection, first: int, second: int) -> None:
        add(connection, first)
        if not database.is_sqlite and not meet.broken:
            try:
                meet.wait(5)
            except threading.BrokenBarrierError:
                pass
            else:
                meet.abort()
        add(connection, second)

    def run(first: int, second: int) -> None:
        database.write(lambda c: work(c, first, second))

    threads = [threading.Thread(target=run, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(database) == [2, 2]


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[Database]:  # noqa: F811
    database = Database(postgresql_url)
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE things (id INTEGER PRIMARY KEY, value INTEGER)"))
        connection.execute(sa.text("INSERT INTO things VALUES (1, 0)"))
    yield database
    database.close()


def cut(database: Database, connection: sa.Connection) -> None:
    """End a connection from outside, as a failover does."""
    pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with database.transaction() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_transaction_whose_connection_is_lost_is_run_again(on_postgresql: Database) -> None:
    runs: list[int] = []

    def work(connection: sa.Connection) -> None:
        add(connection)
        if not runs:
            runs.append(1)
            cut(on_postgresql, connection)
        add(connection)

    on_postgresql.write(work)
    assert values(on_postgresql) == [2]


def test_a_commit_that_nobody_confirmed_is_repeated_only_where_that_is_harmless(on_postgresql: Database) -> None:
    runs: list[int] = []

    def work(connection: sa.Connection) -> None:
        runs.append(1)
        add(connection)
        if len(runs) == 1:
            # What comes next is the commit.
            cut(on_postgresql, connection)

    with pytest.raises(sa.exc.OperationalError):
        on_postgresql.write(work)
    assert len(runs) == 1
    runs.clear()
    on_postgresql.write(work, repeatable=True)
    assert len(runs) == 2


@pytest.mark.parametrize("ping_after_s", [0.0, 3600.0])
def test_connections_that_ended_while_idle_are_not_used(
    on_postgresql: Database, ping_after_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether that is found out before the connection is used or by using it."""
    monkeypatch.setattr("common.database.engines._PING_AFTER_S", ping_after_s)
    values(on_postgresql)
    killer = Database(on_postgresql.url.render_as_string(hide_password=False))
    with killer.transaction() as connection:
        others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        connection.execute(sa.text(others + " AND datname = current_database()"))
    killer.close()
    on_postgresql.write(add)
    assert values(on_postgresql) == [1]


def test_a_single_statement_that_nobody_confirmed_is_repeated_only_where_that_is_harmless(
    on_postgresql: Database,
) -> None:
    runs: list[int] = []

    def work(connection: sa.Connection) -> None:
        runs.append(1)
        if len(runs) == 1:
            cut(on_postgresql, connection)
        add(connection)

    with pytest.raises(sa.exc.OperationalError):
        on_postgresql.write(work, single=True)
    assert len(runs) == 1
    runs.clear()
    on_postgresql.write(work, single=True, repeatable=True)
    assert len(runs) == 2


def test_on_postgresql_a_promise_is_as_safe_as_its_administrator_chose(on_postgresql: Database) -> None:
    with on_postgresql.transaction() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{on_postgresql.url.database}" SET synchronous_commit TO local')
    again = Database(on_postgresql.url.render_as_string(hide_password=False))

    def level(connection: sa.Connection) -> str:
        return str(connection.exec_driver_sql("SHOW synchronous_commit").scalar())

    found = [again.write(level, durable=durable) for durable in (True, False, True)]
    found.append(again.write(level, single=True))
    again.close()
    assert found == ["local", "off", "local", "off"]


def test_a_mistake_in_the_sql_is_not_repeated(on_postgresql: Database) -> None:
    runs: list[int] = []

    def work(connection: sa.Connection) -> None:
        runs.append(1)
        connection.execute(sa.text("SELECT * FROM nowhere"))

    with pytest.raises(sa.exc.ProgrammingError):
        on_postgresql.write(work)
    assert len(runs) == 1


def test_what_was_promised_is_synced_and_other_writes_need_not_be(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    found = [
        database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar(), durable=durable)
        for durable in (True, False, True)
    ]
    assert found == [2, 1, 2]
    assert database.read(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    database.close()


def test_errors_show_no_parameters(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught:
        database.write(lambda c: c.execute(sa.text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hunter22"}))
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://a:b@h/d", "postgres://a:b@h/d", "postgresql+psycopg://a:b@h/d"])
def test_postgresql_is_reached_by_psycopg_however_it_is_named(url: str) -> None:
    assert Database(url).url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://me:hunter22@host/db", "hunter22"])
def test_a_url_that_cannot_be_used_is_named_but_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        Database(url)
    assert "hunter22" not in str(caught.value)


def test_the_schema_is_what_the_code_expects(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    # Tables of other parts, and this test's own, are none of the jobs' business.
    assert [change for change in differences if not str(change[0]).startswith("remove")] == []


def test_the_newest_revision_is_the_one_that_alembic_finds() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [head()]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_processes_may_migrate_at_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        database = Database(url)
        with database.transaction() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        database.close()
    code = f"from common.database import Database; Database({url!r}).migrate()"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    database = Database(url)
    with database.reading() as connection:
        assert "jobs" in sa.inspect(connection).get_table_names()
    database.close()


def test_the_app_is_imported_without_sqlalchemy() -> None:
    code = "import sys, common.app; sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0


def test_tables_of_a_plugin_are_made_where_they_are_missing_and_what_is_there_stays(database: Database) -> None:
    first, later = sa.MetaData(), sa.MetaData()
    sa.Table("plugged", first, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "plugged",
        later,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("more", sa.String(8)),
        sa.Index("plugged_by_more", "more"),
    )
    database.ensure(first)
    with database.transaction() as connection:
        connection.execute(sa.text("INSERT INTO plugged VALUES (7)"))
    for metadata_of_a_version in (later, first, later):
        database.ensure(metadata_of_a_version)
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT id, more FROM plugged")).all() == [(7, None)]
        assert [index["name"] for index in sa.inspect(connection).get_indexes("plugged")] == ["plugged_by_more"]
