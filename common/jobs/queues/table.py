"""Queues in a table of the database: nothing to install, and a message is as safe as the job it is for."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.clock import Clock, new_id
from common.database import Database
from common.jobs.queues.base import POISON, Depth, Message
from common.jobs.rows import SKEW_S
from common.jobs.tables import messages

# Messages are never sent further ahead; one that lies beyond was sent before the clock was set back.
_LONGEST_DELAY_S = 7 * 24 * 3600.0

# Statements are written once: to build one takes several times as long as to run it. What an update sets beside is
# what it is executed with.
_VISIBLE = (messages.c.visible_at <= sa.bindparam("now")) | (messages.c.visible_at > sa.bindparam("beyond"))
_READY = (
    sa.select(messages.c.queue).distinct().where(messages.c.queue.in_(sa.bindparam("queues", expanding=True)), _VISIBLE)
)
_PICK = (
    sa.select(messages.c.id)
    .where(messages.c.queue == sa.bindparam("of_queue"), _VISIBLE)
    .order_by(messages.c.visible_at, messages.c.id)
    .limit(sa.bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    sa.update(messages)
    .where(messages.c.id.in_(_PICK.scalar_subquery()))
    .values(dequeue_count=messages.c.dequeue_count + 1)
    .returning(messages)
)
_HELD = (messages.c.id == sa.bindparam("of_id")) & (messages.c.receipt == sa.bindparam("of_receipt"))
_CHANGE = sa.update(messages).where(_HELD)
_REMOVE = sa.delete(messages).where(_HELD)
_ADD = sa.insert(messages)


class TableQueue:
    """Messages as rows. On PostgreSQL receivers skip rows that others are just taking; SQLite's take turns.

    In the same process `send` wakes whoever waits. Other processes look every `poll_s`, which costs one index probe.
    """

    poll_s = 0.05

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._arrived = threading.Event()

    def send(self, queue: str, job_id: str, delay_s: float = 0.0) -> None:
        now = self._clock.now()
        values = {
            "id": new_id(self._clock),
            "queue": queue,
            "job_id": job_id,
            "visible_at": now + timedelta(seconds=min(delay_s, _LONGEST_DELAY_S)),
            "receipt": "",
            "dequeue_count": 0,
            "created_at": now,
        }
        # Not durable: the sweeper sends again what a power failure took away.
        self._database.write(lambda c: c.execute(_ADD, values).rowcount, single=True)
        self._arrived.set()

    def ready(self, queues: Sequence[str]) -> Sequence[str]:
        values = {"queues": list(queues), **self._times()}
        found = set(self._database.read(lambda c: c.execute(_READY, values).scalars().all()))
        return [queue for queue in queues if queue in found]

    def receive(self, queue: str, limit: int, visibility_s: float) -> list[Message]:
        values = {
            "of_queue": queue,
            "limit": limit,
            **self._times(),
            "visible_at": self._clock.now() + timedelta(seconds=visibility_s),
            "receipt": new_id(self._clock),
        }
        rows = self._database.write(lambda c: c.execute(_TAKE, values).all(), single=True)
        # The database returns changed rows in any order; ids are in the order of sending.
        return [
            Message(row.id, row.queue, row.job_id, row.receipt, row.dequeue_count)
            for row in sorted(rows, key=lambda row: row.id)
        ]

    def renew(self, message: Message, visibility_s: float) -> Message | None:
        values = _mine(message) | {"visible_at": self._clock.now() + timedelta(seconds=visibility_s)}
        held = self._database.write(lambda c: c.execute(_CHANGE, values).rowcount, single=True, repeatable=True)
        if visibility_s <= 0:
            self._arrived.set()
        return message if held else None

    def delete(self, message: Message) -> None:
        mine = _mine(message)
        self._database.write(lambda c: c.execute(_REMOVE, mine).rowcount, single=True, repeatable=True)

    def poison(self, message: Message) -> None:
        values = _mine(message) | {"queue": message.queue + POISON, "visible_at": self._clock.now()}
        self._database.write(lambda c: c.execute(_CHANGE, values).rowcount, repeatable=True)

    def depth(self, queue: str) -> Depth:
        query = sa.select(sa.func.count(), sa.func.min(messages.c.created_at)).where(messages.c.queue == queue)
        count, oldest = self._database.read(lambda c: c.execute(query).one())
        return Depth(count, oldest)

    def wait(self, timeout_s: float) -> None:
        self._arrived.wait(timeout_s)
        self._arrived.clear()

    def wake(self) -> None:
        self._arrived.set()

    def close(self) -> None:
        return

    def _times(self) -> dict[str, datetime]:
        now = self._clock.now()
        return {"now": now, "beyond": now + timedelta(seconds=_LONGEST_DELAY_S + SKEW_S)}


def _mine(message: Message) -> dict[str, Any]:
    return {"of_id": message.id, "of_receipt": message.receipt}
