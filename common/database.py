"""The one SQL database: SQLite in a file by default, PostgreSQL where `DATABASE_URL` says so.

All state that must survive a process is here: jobs, queues, versions, keys, leases. Only what needs the database
imports this module, because SQLAlchemy takes longer to import than the rest of the app's core.

`durable`: a transaction that promises something to somebody outside (a job was accepted, a version is published) is
on the disk before it returns. Others (a heartbeat, a message taken from the queue) need not be: were they lost with
the machine's power, the work they belong to was lost with it, and is begun again. Neither is ever lost when only a
process dies. This is what lets SQLite do hundreds of jobs a second on a disk that syncs slowly.

On PostgreSQL what a transaction costs is its round trips. The driver is therefore in its autocommit mode, and `BEGIN`
is sent only where there is more than one statement to hold together: not for reads, which at this isolation level see
what is there at each statement either way, nor for a `single` write.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError

from common.errors import SettingsError, WrongSchema
from common.locks import Turns
from common.migrations import Found, find, head, migrate
from common.settings import Settings
from common.telemetry.logs import get_logger

log = get_logger("atoll.database")

T = TypeVar("T")

# Schemas of later releases that the log of this process has told of.
_told: set[str | None] = set()

# Longer than any transaction of ours takes; a migration of a large table is the longest.
_SQLITE_BUSY_MS = 30_000
_CONNECT_TIMEOUT_S = 10
# A server that vanished without a word is noticed within half a minute; by default that takes a quarter of an hour.
_GIVE_UP = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
# A connection that was used a moment ago is taken to be alive; if it is not, what was begun on it is tried again.
_PING_AFTER_S = 1.0
_TRIES = 6
_FIRST_PAUSE_S = 0.02
# serialization_failure, deadlock_detected: the server rolled back and asks for the same again.
_AT_COMMIT = "at commit"
_AGAIN = frozenset({"40001", "40P01"})


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time. PostgreSQL keeps it as such; SQLite as text, which sorts in the same order."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Connections and transactions. One a process; threads may share it.

    Parameters
    ----------
    url : `sqlite:///file`, or `postgresql://user:password@host/name`.
    pool_size : connections to PostgreSQL that are kept; twice as many may be open at once.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        try:
            self.url = _with_driver(sa.make_url(url))
        except ArgumentError:
            raise SettingsError("DATABASE_URL cannot be read; it looks like postgresql://user@host/name") from None
        self._writer = Turns(self.url.database) if self.is_sqlite else contextlib.nullcontext()
        self.engine = self._sqlite() if self.is_sqlite else self._postgresql(pool_size)
        # By identity, and kept, so that none gets the identity of one that is gone.
        self._ensured: dict[int, sa.MetaData] = {}

    @classmethod
    def build(cls, settings: Settings) -> "Database":
        return cls(settings.database_url)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """A transaction that may write; committed at the end, rolled back when left by an exception.

        It is tried once; `write` is the one that tries again.
        """
        with self._transaction({"durable": durable}) as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; on SQLite it never waits for a writer."""
        with self.engine.connect() as connection:
            connection.execution_options(reading=True)
            with connection.begin():
                yield connection

    def write(
        self,
        work: Callable[[sa.Connection], T],
        *,
        durable: bool = True,
        repeatable: bool = False,
        single: bool = False,
    ) -> T:
        """Run `work(connection)` in a transaction; again if the database asks for it or the connection is lost.

        Parameters
        ----------
        work : does nothing but SQL, since it may run more than once.
        repeatable : running `work` after it was committed changes nothing. Only then is it tried again when the
            connection is lost at the very commit, where nobody can know whether it was made.
        single : `work` is one statement, which is a transaction by itself. Never durable.
        """
        options = {"durable": durable and not single, "single": single}
        return self._again(lambda: self._once(work, options), repeatable=repeatable)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work(connection)`, which only reads; again if the connection is lost."""

        def once() -> T:
            with self.reading() as connection:
                return work(connection)

        return self._again(once, repeatable=True)

    def migrate(self) -> None:
        """Bring the schema up to date. Any number of processes may call it at once: one works, the others wait.

        A schema that a later release made is used as it is, if that release said that this code may
        (`common.migrations.compatibility`).

        Raises
        ------
        WrongSchema
            This code cannot use it.
        """
        if not _must_upgrade(self.read(find)):
            return
        with self.transaction() as connection:
            if not self.is_sqlite:
                # SQLite's writers are alone already. The number is arbitrary, but the same in every process.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20240607)")
            if _must_upgrade(find(connection)):
                migrate(connection)

    def ensure(self, metadata: sa.MetaData) -> None:
        """Make the tables, columns and indexes of `metadata` that are missing: those of a plugin, which no migration
        knows. Nothing is changed or removed; a column that is added must be nullable or have a server's default.
        Any number of processes may call it at once, as often as they like: it looks once.
        """
        if id(metadata) in self._ensured:
            return
        if self.read(lambda connection: _missing(connection, metadata)):
            with self.transaction() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20240607)")
                for table in metadata.sorted_tables:
                    _complete(connection, table)
        self._ensured[id(metadata)] = metadata

    def close(self) -> None:
        self.engine.dispose()
        if isinstance(self._writer, Turns):
            self._writer.close()

    @contextlib.contextmanager
    def _transaction(self, options: dict[str, bool]) -> Iterator[sa.Connection]:
        with self._writer, self.engine.connect() as connection:
            connection.execution_options(**options)
            with connection.begin():
                yield connection

    def _once(self, work: Callable[[sa.Connection], T], options: dict[str, bool]) -> T:
        # A single statement is its own commit.
        committing = options["single"]
        try:
            with self._transaction(options) as connection:
                value = work(connection)
                committing = True
        except DBAPIError as exc:
            if committing:
                exc.add_detail(_AT_COMMIT)
            raise
        return value

    def _again(self, once: Callable[[], T], *, repeatable: bool) -> T:
        for left in range(_TRIES - 1, -1, -1):
            try:
                return once()
            except DBAPIError as exc:
                if not left or not _may_repeat(exc, repeatable=repeatable):
                    raise
                # Twice as long each time, and never in step with others who met the same conflict.
                time.sleep(_FIRST_PAUSE_S * 2 ** (_TRIES - 1 - left) * random.uniform(0.5, 1))
        raise AssertionError("unreachable")

    def _sqlite(self) -> sa.Engine:
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(self.url, pool_size=32, max_overflow=32, hide_parameters=True)
        sa.event.listen(engine, "connect", _open_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgresql(self, pool_size: int) -> sa.Engine:
        engine = sa.create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            isolation_level="AUTOCOMMIT",
            # Parameters are bodies and tokens; errors are logged.
            hide_parameters=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S} | _GIVE_UP,
        )
        sa.event.listen(engine, "connect", _open_postgresql)
        sa.event.listen(engine, "begin", _begin_postgresql)
        sa.event.listen(engine, "checkout", partial(_check_alive, engine.dialect))
        sa.event.listen(engine, "checkin", _note_use)
        return engine


def _with_driver(url: sa.URL) -> sa.URL:
    if url.get_backend_name() == "sqlite":
        return url
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "postgresql+psycopg":
        return url
    raise SettingsError(f"DATABASE_URL: {url.drivername} is not supported; use sqlite or postgresql")


def _open_sqlite(connection: DBAPIConnection, record: Any) -> None:
    # Otherwise Python's driver begins transactions by itself, and only at the first write.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reading"):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get("durable", True) else "NORMAL"
    if connection.info.get("synchronous") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.info["synchronous"] = level
    # A transaction that reads first and writes later would fail, not wait, if another one wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _open_postgresql(connection: DBAPIConnection, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT current_setting('synchronous_commit')")
    # What the server's administrator chose is what a durable transaction gets.
    (record.info["durable"],) = cursor.fetchone() or ("on",)
    cursor.execute("SET synchronous_commit TO off")
    cursor.close()


def _begin_postgresql(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reading") or options.get("single"):
        return
    level = connection.info["durable"]
    durable = f"; SET LOCAL synchronous_commit TO {level}" if options.get("durable", True) else ""
    connection.exec_driver_sql(f"BEGIN{durable}")


def _check_alive(dialect: sa.Dialect, connection: DBAPIConnection, record: Any, _: Any) -> None:
    used_s = record.info.get("used_s")
    if used_s is None or time.monotonic() - used_s < _PING_AFTER_S:
        return
    try:
        dialect.do_ping(connection)
    except Exception as exc:
        # The others in the pool are as old, and are replaced with it.
        raise InvalidatePoolError from exc


def _note_use(connection: DBAPIConnection | None, record: Any) -> None:
    record.info["used_s"] = time.monotonic()


def _must_upgrade(found: Found) -> bool:
    ours = head()
    standing = found.standing(ours)
    if standing in ("too new", "foreign"):
        raise WrongSchema(found.refusal(ours))
    if standing == "newer" and found.revision not in _told:
        # Each part of a process that has connections of its own asks.
        _told.add(found.revision)
        told = "the database has the schema of a later release, which says that this one may use it"
        log.warning(told, schema=found.revision, known=ours, oldest_code=found.oldest_code)
    return standing in ("empty", "older")


def _missing(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    found = sa.inspect(connection)
    return any(
        not found.has_table(table.name)
        or {column.name for column in table.columns} - {column["name"] for column in found.get_columns(table.name)}
        or {index.name for index in table.indexes} - {index["name"] for index in found.get_indexes(table.name)}
        for table in metadata.sorted_tables
    )


def _complete(connection: sa.Connection, table: sa.Table) -> None:
    """Make what is missing of a table. What others made since it was looked for is there already."""
    table.create(connection, checkfirst=True)
    found = sa.inspect(connection)
    there = {column["name"] for column in found.get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            made = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {made}")
    indexes = {index["name"] for index in found.get_indexes(table.name)}
    for index in table.indexes:
        if index.name not in indexes:
            index.create(connection)


def _may_repeat(exc: DBAPIError, *, repeatable: bool) -> bool:
    if getattr(exc.orig, "sqlstate", None) in _AGAIN or "database is locked" in str(exc.orig):
        return True
    lost = exc.connection_invalidated or "connection failed" in str(exc.orig)
    return lost and (repeatable or _AT_COMMIT not in exc.detail)
