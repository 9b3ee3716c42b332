"""All SQL of callbacks: what is owed, who sends it now, what became of it, and the secret that signs it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.clock import Clock
from common.database import Database
from common.jobs.callbacks.event import DELIVERED, GIVEN_UP, PENDING
from common.jobs.rows import SKEW_S
from common.jobs.tables import callbacks, jobs, secrets

_INTERRUPTED = "the process that sent it vanished"


@dataclass(frozen=True)
class Callback:
    """An event that a caller is to be told of.

    Attributes
    ----------
    id : the same at every try; the receiver tells by it what it has seen.
    epoch : grows with each claim; only the newest claim's outcome counts.
    attempts : tries that began.
    next_at : when it is tried next; None when it is over.
    """

    id: str
    job_id: str
    url: str
    host: str
    body: str
    state: str
    epoch: int
    attempts: int
    last_error: str | None
    created_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None


class Outbox:
    """The callbacks of all jobs. Each method is one transaction; any process may call any of them at any time.

    Parameters
    ----------
    lease_s : how long a claim keeps others from sending the same; longer than sending takes.
    longest_wait_s : the longest wait between tries.
    """

    def __init__(
        self, database: Database, clock: Clock, *, max_attempts: int, lease_s: float, longest_wait_s: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_attempts = max_attempts
        self._lease_s = lease_s
        self._longest_wait_s = longest_wait_s

    def claim(self, busy: Collection[str] = ()) -> Callback | None:
        """Take the callback that has been due for longest, to send it; None if none is due.

        Parameters
        ----------
        busy : hosts to leave alone for now.
        """
        now = self._clock.now()
        query = sa.select(callbacks).where(self._is_due(now)).order_by(callbacks.c.next_at).limit(1)
        if busy:
            query = query.where(callbacks.c.host.not_in(sorted(busy)))

        def work(connection: sa.Connection) -> Callback | None:
            while (row := connection.execute(query.with_for_update(skip_locked=True)).first()) is not None:
                if row.attempts < self._max_attempts:
                    values = {"attempts": row.attempts + 1, "next_at": now + timedelta(seconds=self._lease_s)}
                    return self._change(connection, row, epoch=row.epoch + 1, **values)
                # Its last try began, and nobody lived to tell how it ended.
                self._change(connection, row, state=GIVEN_UP, next_at=None, last_error=row.last_error or _INTERRUPTED)
            return None

        # Read first: most often nothing is due, and on SQLite a reader waits for nobody.
        if not self._database.read(lambda c: c.execute(query.with_only_columns(callbacks.c.id)).first()):
            return None
        return self._database.write(work, durable=False)

    def delivered(self, claimed: Callback) -> bool:
        """Note that the receiver took it; False if another claim has been made since."""
        return self._end(claimed, state=DELIVERED, delivered_at=self._clock.now(), next_at=None, last_error=None)

    def failed(self, claimed: Callback, error: str, delay_s: float) -> bool:
        """Note that a try failed; the next one comes `delay_s` later. False if another claim has been made since."""
        next_at = self._clock.now() + timedelta(seconds=delay_s)
        return self._end(claimed, next_at=next_at, last_error=error)

    def given_up(self, claimed: Callback, error: str) -> bool:
        """Note that the last try failed; False if another claim has been made since."""
        return self._end(claimed, state=GIVEN_UP, next_at=None, last_error=error)

    def latest(self, job_id: str) -> Callback | None:
        """The callback of the newest end of a job; None before it has ended, or where nobody asked."""
        query = (
            sa.select(callbacks).where(callbacks.c.job_id == job_id).order_by(callbacks.c.created_at.desc()).limit(1)
        )
        row = self._database.read(lambda c: c.execute(query).first())
        return Callback(**row._mapping) if row else None

    def traceparent(self, job_id: str) -> str | None:
        """The W3C context of a job; None where it has none, or is gone."""
        query = sa.select(jobs.c.traceparent).where(jobs.c.id == job_id)
        found: str | None = self._database.read(lambda c: c.execute(query).scalar())
        return found

    def due(self, limit: int) -> int:
        """How many callbacks are due, `limit` at most."""
        found = sa.select(callbacks.c.id).where(self._is_due(self._clock.now())).limit(limit).subquery()
        query = sa.select(sa.func.count()).select_from(found)
        return self._database.read(lambda c: c.execute(query).scalar_one())

    def pending(self) -> int:
        """How many callbacks are still to be delivered."""
        query = sa.select(sa.func.count()).select_from(callbacks).where(callbacks.c.state == PENDING)
        return self._database.read(lambda c: c.execute(query).scalar_one())

    def shared_secret(self, name: str, new: str) -> str:
        """The secret of this name that all processes share; `new` becomes it where there is none yet."""
        query = sa.select(secrets.c.value).where(secrets.c.name == name)

        def work(connection: sa.Connection) -> str:
            found: str | None = connection.execute(query).scalar()
            if found is None:
                values = {"name": name, "value": new, "created_at": self._clock.now()}
                connection.execute(sa.insert(secrets).values(**values))
            return found or new

        found: str | None = self._database.read(lambda c: c.execute(query).scalar())
        if found is not None:
            return found
        try:
            return self._database.write(work, repeatable=True)
        except sa.exc.IntegrityError:
            # Another process made it first.
            return self._database.write(work)

    def _is_due(self, now: datetime) -> sa.ColumnElement[bool]:
        # Later than any wait there is: the clock was set back since.
        beyond = now + timedelta(seconds=max(self._longest_wait_s, self._lease_s) + SKEW_S)
        return (callbacks.c.state == PENDING) & ((callbacks.c.next_at <= now) | (callbacks.c.next_at > beyond))

    def _end(self, claimed: Callback, **values: Any) -> bool:
        mine = (callbacks.c.id == claimed.id) & (callbacks.c.epoch == claimed.epoch) & (callbacks.c.state == PENDING)
        statement = sa.update(callbacks).where(mine).values(**values)
        return self._database.write(lambda c: c.execute(statement).rowcount, durable=False, repeatable=True) > 0

    @staticmethod
    def _change(connection: sa.Connection, row: sa.Row[Any], **values: Any) -> Callback:
        connection.execute(sa.update(callbacks).where(callbacks.c.id == row.id).values(**values))
        return Callback(**dict(row._mapping) | values)
