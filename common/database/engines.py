"""How connections are opened, begun and checked, on SQLite and on PostgreSQL.

On PostgreSQL what a transaction costs is its round trips. The driver is therefore in its autocommit mode, and `BEGIN`
is sent only where there is more than one statement to hold together: not for reads, which at this isolation level see
what is there at each statement either way, nor for a `single` write.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from common.errors import SettingsError

# Longer than any transaction of ours takes; a migration of a large table is the longest.
_SQLITE_BUSY_MS = 30_000
_CONNECT_TIMEOUT_S = 10
# A server that vanished without a word is noticed within half a minute; by default that takes a quarter of an hour.
_GIVE_UP = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
# A connection that was used a moment ago is taken to be alive; if it is not, what was begun on it is tried again.
_PING_AFTER_S = 1.0


def read_url(url: str) -> sa.URL:
    """`DATABASE_URL`, with the driver that is used. Raises `SettingsError` where it cannot be."""
    try:
        return _with_driver(sa.make_url(url))
    except ArgumentError:
        raise SettingsError("DATABASE_URL cannot be read; it looks like postgresql://user@host/name") from None


def sqlite(url: sa.URL) -> sa.Engine:
    """Its file's folder is made where it is missing."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, pool_size=32, max_overflow=32, hide_parameters=True)
    sa.event.listen(engine, "connect", _open_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def postgresql(url: sa.URL, pool_size: int) -> sa.Engine:
    """`pool_size` connections are kept, and twice as many may be open at once."""
    engine = sa.create_engine(
        url,
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
