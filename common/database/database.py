"""Transactions, and the schema that they find."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from common.database import additions, engines
from common.errors import WrongSchema
from common.locks import Turns
from common.migrations import Found, find, head, migrate
from common.settings import Settings
from common.telemetry.logs import get_logger

log = get_logger("atoll.database")

T = TypeVar("T")

# Schemas of later releases that the log of this process has told of.
_told: set[str | None] = set()

_TRIES = 6
_FIRST_PAUSE_S = 0.02
# serialization_failure, deadlock_detected: the server rolled back and asks for the same again.
_AT_COMMIT = "at commit"
_AGAIN = frozenset({"40001", "40P01"})


class Database:
    """Connections and transactions. One a process; threads may share it.

    Parameters
    ----------
    url : `sqlite:///file`, or `postgresql://user:password@host/name`.
    pool_size : connections to PostgreSQL that are kept; twice as many may be open at once.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = engines.read_url(url)
        self._writer = Turns(self.url.database) if self.is_sqlite else contextlib.nullcontext()
        self.engine = engines.sqlite(self.url) if self.is_sqlite else engines.postgresql(self.url, pool_size)
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
        if self.read(lambda connection: additions.missing(connection, metadata)):
            with self.transaction() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20240607)")
                for table in metadata.sorted_tables:
                    additions.complete(connection, table)
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


def _may_repeat(exc: DBAPIError, *, repeatable: bool) -> bool:
    if getattr(exc.orig, "sqlstate", None) in _AGAIN or "database is locked" in str(exc.orig):
        return True
    lost = exc.connection_invalidated or "connection failed" in str(exc.orig)
    return lost and (repeatable or _AT_COMMIT not in exc.detail)
