"""All SQL of API keys."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from common.clock import new_id
from common.database import Database
from common.security.keys.record import KEPT, KeyRecord
from common.security.keys.tables import api_keys, marks
from common.security.scopes import Scope

T = TypeVar("T")

_CHANGED = "changed"
_FIRST = "first key"
# As exact as last use is; other processes note the same use.
_USE_EVERY = timedelta(seconds=60)


class KeyStore:
    """One a process; threads may share it. All methods block.

    What changes keys is one of `change`'s functions, which take turns: across processes too, nothing comes between what
    one reads and what it writes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def stamp(self) -> str:
        """Another text whenever a key was made, revoked or removed. One row by its primary key."""
        query = sa.select(marks.c.value).where(marks.c.name == _CHANGED)
        return self._database.read(lambda c: c.execute(query).scalar()) or ""

    def all(self) -> list[KeyRecord]:
        return self._database.read(lambda c: [_record(row) for row in c.execute(sa.select(api_keys))])

    def get(self, key_id: str) -> KeyRecord | None:
        return self._database.read(lambda c: find(c, key_id))

    def page(self, *, ended_after: datetime, with_revoked: bool, before: str | None, limit: int) -> list[KeyRecord]:
        """The newest keys, newest first.

        Parameters
        ----------
        ended_after : without those that were revoked or expired before.
        before : id of a key; only those that come after it in the list.
        """
        query = sa.select(api_keys).where(~_ended_before(ended_after))
        if not with_revoked:
            query = query.where(api_keys.c.revoked_at.is_(None))
        if before is not None:
            last = sa.select(api_keys.c.created_at).where(api_keys.c.id == before).scalar_subquery()
            is_same_moment = (api_keys.c.created_at == last) & (api_keys.c.id < before)
            query = query.where((api_keys.c.created_at < last) | is_same_moment)
        query = query.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc()).limit(limit)
        return self._database.read(lambda c: [_record(row) for row in c.execute(query)])

    def change(self, work: Callable[[sa.Connection], T], now: datetime, *, repeatable: bool = False) -> T:
        """Run `work` while no other process changes keys, and let all processes know that keys have changed.

        Keys that ended long ago are removed on the way.
        """

        def changed(connection: sa.Connection) -> T:
            stamp = {"value": new_id(), "set_at": now}
            # First: this is the lock. On SQLite writers are alone already.
            connection.execute(sa.update(marks).where(marks.c.name == _CHANGED).values(**stamp))
            outcome = work(connection)
            connection.execute(sa.delete(api_keys).where(_ended_before(now - KEPT)))
            return outcome

        return self._database.write(changed, repeatable=repeatable)

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used; not what another process has written already."""

        def work(connection: sa.Connection) -> None:
            for key_id, at in sorted(uses.items()):
                is_older = api_keys.c.last_used_at.is_(None) | (api_keys.c.last_used_at <= at - _USE_EVERY)
                used = sa.update(api_keys).where(api_keys.c.id == key_id, is_older).values(last_used_at=at)
                connection.execute(used)

        self._database.write(work, durable=False, repeatable=True)


def find(connection: sa.Connection, key_id: str) -> KeyRecord | None:
    row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).first()
    return None if row is None else _record(row)


def insert(connection: sa.Connection, record: KeyRecord) -> None:
    values = {column.name: getattr(record, column.name) for column in api_keys.columns}
    values["scopes"] = sorted(record.scopes)
    values["models"] = None if record.models is None else sorted(record.models)
    connection.execute(sa.insert(api_keys).values(**values))


def revoke(connection: sa.Connection, key_id: str, *, at: datetime, by: str) -> None:
    """Revoke a key; one that is revoked already stays as it is."""
    mine = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    connection.execute(sa.update(api_keys).where(mine).values(revoked_at=at, revoked_by=by))


def active(connection: sa.Connection, now: datetime) -> Sequence[KeyRecord]:
    """All keys that can be used."""
    is_valid = api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > now)
    chosen = sa.select(api_keys).where(api_keys.c.revoked_at.is_(None), is_valid)
    return [_record(row) for row in connection.execute(chosen)]


def count(connection: sa.Connection) -> int:
    """How many keys are kept, those that can be used no more among them."""
    return connection.execute(sa.select(sa.func.count()).select_from(api_keys)).scalar_one()


def set_first(connection: sa.Connection, key_id: str, now: datetime) -> bool:
    """Note that the first key is made; False if it has been before. Called within `change`, so by one at a time."""
    if connection.execute(sa.select(marks.c.value).where(marks.c.name == _FIRST)).first():
        return False
    connection.execute(sa.insert(marks).values(name=_FIRST, value=key_id, set_at=now))
    return True


def _ended_before(moment: datetime) -> sa.ColumnElement[bool]:
    """Revoked or expired before; never NULL, so that it can be negated."""
    revoked, expires = api_keys.c.revoked_at, api_keys.c.expires_at
    return (revoked.is_not(None) & (revoked < moment)) | (expires.is_not(None) & (expires < moment))


def _record(row: sa.Row[Any]) -> KeyRecord:
    values = dict(row._mapping)
    # A scope that a newer version knew means nothing here.
    values["scopes"] = frozenset(Scope(name) for name in row.scopes if name in Scope.__members__.values())
    values["models"] = None if row.models is None else frozenset(row.models)
    return KeyRecord(**values)
