"""All SQL of the audit log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from common.clock import first_id
from common.database import Database
from common.security.audit.record import Record
from common.security.audit.tables import records

MAX_PAGE = 500
_ADD = sa.insert(records)


@dataclass(frozen=True)
class Wanted:
    """Which records; None for any.

    Parameters
    ----------
    who : id or name of the actor.
    action : as it is, or its beginning up to a dot: `key` is all of `key.created`, `key.revoked`.
    after, before : the time, from and until (that moment not included).
    """

    who: str | None = None
    action: str | None = None
    outcome: str | None = None
    after: datetime | None = None
    before: datetime | None = None


def insert(connection: sa.Connection, record: Record) -> None:
    """Add a record within the caller's transaction."""
    connection.execute(_ADD, asdict(record))


class Trail:
    """The records in the database; any process may add and read at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: Record) -> None:
        """Add a record in a transaction of its own, which is on the disk when this returns."""
        self._database.write(lambda connection: insert(connection, record))

    def list(self, wanted: Wanted = Wanted(), cursor: str | None = None, limit: int = 50) -> Sequence[Record]:
        """Records, newest first, those before `cursor`."""
        query = sa.select(records).where(*_conditions(wanted)).order_by(records.c.id.desc()).limit(limit)
        if cursor is not None:
            query = query.where(records.c.id < cursor)
        return [Record(**row._mapping) for row in self._database.read(lambda c: c.execute(query).all())]

    def prune(self, before: datetime, limit: int = 5000) -> int:
        """Remove records older than `before`, the oldest first, at most `limit`. Returns how many."""

        def work(connection: sa.Connection) -> int:
            old = sa.select(records.c.id).where(records.c.at < before).order_by(records.c.at).limit(limit)
            ids = list(connection.execute(old).scalars())
            if ids:
                connection.execute(sa.delete(records).where(records.c.id.in_(ids)))
            return len(ids)

        return self._database.write(work)


def prune_older(trail: Trail, days: float, now: datetime) -> int:
    """Remove records that were kept for `days`. Returns how many."""
    return trail.prune(now - timedelta(days=days))


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.who is not None:
        found.append((records.c.actor_id == wanted.who) | (records.c.actor_name == wanted.who))
    if wanted.action is not None:
        action = records.c.action
        found.append((action == wanted.action) | action.startswith(f"{wanted.action}.", autoescape=True))
    if wanted.outcome is not None:
        found.append(records.c.outcome == wanted.outcome)
    if wanted.after is not None:
        found.append(records.c.id >= first_id(wanted.after))
    if wanted.before is not None:
        found.append(records.c.id < first_id(wanted.before))
    return found
