"""The store's third for the scheduler: what was left lying, what is over its time, and leases."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from common.clock import Clock
from common.database import Database
from common.jobs.records import Beat, Job
from common.jobs.rows import SKEW_S, Payloads, change, find, job_of, older_than
from common.jobs.states import ACTIVE, WAITING, Event, State, transition
from common.jobs.tables import attempts, callbacks, jobs, keys, leases, logs, payloads, schedules

# How long an idempotency key names its job.
KEY_S = 24 * 3600.0


class SweepStore:
    """Queries and repairs over all jobs. Any process may call any of them at any time.

    Parameters
    ----------
    keep_s : seconds that records of finished jobs are kept.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        stored: Payloads,
        *,
        result_s: float,
        keep_s: float,
        longest_wait_s: float,
    ) -> None:
        self._database = database
        self._clock = clock
        self._stored = stored
        self._result_s = result_s
        self._keep_s = keep_s
        self._longest_wait_s = longest_wait_s

    def answers(self) -> bool:
        """Whether the database does."""
        try:
            self._database.read(lambda connection: connection.execute(sa.select(1)))
        except (sa.exc.DBAPIError, sa.exc.TimeoutError):
            return False
        return True

    def unqueued(self, age_s: float, limit: int = 500) -> list[Job]:
        """Waiting jobs for which no message was sent in `age_s` after they should have got one; the oldest first."""
        return self._waiting(
            jobs.c.enqueued_at.is_(None), older_than(jobs.c.queued_at, self._clock.now(), age_s), limit
        )

    def overlooked(self, queue: str, age_s: float, limit: int = 500) -> list[Job]:
        """Jobs of a queue that are due, and whose message was sent, for more than `age_s`; the oldest first."""
        now = self._clock.now()
        sent = older_than(jobs.c.enqueued_at, now, age_s)
        due = older_than(jobs.c.due_at, now, age_s, ahead_s=self._longest_wait_s)
        # Of those queued by a clock that was ahead, what they were told to wait is over, or begins only now.
        set_back = jobs.c.queued_at > now + timedelta(seconds=SKEW_S)
        late = sent & (due | set_back)
        return self._waiting(jobs.c.queue == queue, late, limit)

    def overtaken(self, queue: str, lead_s: float, limit: int = 500) -> list[Job]:
        """Jobs of a queue that wait, although one that was sent `lead_s` after they were sent, and due, has begun."""
        begun = sa.select(sa.func.max(jobs.c.enqueued_at)).where(jobs.c.queue == queue, jobs.c.state.in_(ACTIVE))
        newest: datetime | None = self._database.read(lambda c: c.execute(begun).scalar())
        if newest is None:
            return []
        before = newest - timedelta(seconds=lead_s)
        return self._waiting(jobs.c.queue == queue, (jobs.c.enqueued_at < before) & (jobs.c.due_at < before), limit)

    def waiting_queues(self) -> dict[str, int]:
        """Queues with waiting jobs, and how many wait in each."""
        query = sa.select(jobs.c.queue, sa.func.count()).where(jobs.c.state.in_(WAITING)).group_by(jobs.c.queue)
        return {row[0]: row[1] for row in self._database.read(lambda c: c.execute(query).all())}

    def waiting_since(self) -> dict[str, datetime]:
        """Since when the job of each queue that has waited longest could have begun."""
        query = sa.select(jobs.c.queue, sa.func.min(jobs.c.due_at)).where(jobs.c.state.in_(WAITING))
        return {row[0]: row[1] for row in self._database.read(lambda c: c.execute(query.group_by(jobs.c.queue)).all())}

    def standing(self) -> dict[tuple[str, ...], int]:
        """How many jobs are open or dead, by kind and state. Of others there may be millions."""
        told = [*WAITING, *ACTIVE, State.DEAD]
        query = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).where(jobs.c.state.in_(told))
        rows = self._database.read(lambda c: c.execute(query.group_by(jobs.c.kind, jobs.c.state)).all())
        return {(str(row[0]), str(row[1])): row[2] for row in rows}

    def beats(self) -> list[Beat]:
        """The heartbeats of all attempts under way."""
        query = sa.select(jobs.c.id.label("job_id"), jobs.c.epoch, jobs.c.heartbeat_at).where(jobs.c.state.in_(ACTIVE))
        return [Beat(**row._mapping) for row in self._database.read(lambda c: c.execute(query).all())]

    def expire_waiting(self, limit: int = 500) -> list[Job]:
        """End waiting jobs whose deadline has passed."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> list[Job]:
            late = sa.select(jobs.c.id).where(jobs.c.state.in_(WAITING), jobs.c.deadline < now).limit(limit)
            found = [find(connection, row.id, lock=True) for row in connection.execute(late).all()]
            return [self._expire(connection, job, now) for job in found if job and job.state.is_waiting]

        return self._database.write(work)

    def expire_one(self, job_id: str) -> Job | None:
        """End a waiting job because its deadline has passed."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> Job | None:
            job = find(connection, job_id, lock=True)
            return self._expire(connection, job, now) if job and job.state.is_waiting else None

        return self._database.write(work)

    def exhaust(self, job_id: str, reason: str) -> Job | None:
        """Give up a waiting job whose messages came back too often; None if it is not waiting."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> Job | None:
            job = find(connection, job_id, lock=True)
            if job is None or not job.state.is_waiting:
                return None
            return self._end(connection, job, Event.EXHAUST, reason, now)

        return self._database.write(work)

    def expire_results(self, limit: int = 500) -> int:
        """Remove the bodies of jobs that are kept no longer; the records stay. Returns how many jobs."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> tuple[int, Sequence[str]]:
            query = sa.select(jobs.c.id).where(jobs.c.expires_at < now).limit(limit)
            ids = [row.id for row in connection.execute(query).all()]
            mine = payloads.c.job_id.in_(ids)
            stored = connection.execute(
                sa.select(payloads.c.job_id).where(mine, payloads.c.blob.is_not(None)).distinct()
            )
            on_share = list(stored.scalars())
            connection.execute(sa.delete(payloads).where(mine))
            kept = {"expires_at": None, "version": jobs.c.version + 1, "updated_at": now}
            connection.execute(sa.update(jobs).where(jobs.c.id.in_(ids)).values(**kept))
            return len(ids), on_share

        count, on_share = self._database.write(work)
        self._stored.remove(on_share)
        return count

    def prune(self, limit: int = 500) -> int:
        """Remove jobs that finished long ago, and idempotency keys that count no more. Returns how many jobs."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> Sequence[str]:
            connection.execute(sa.delete(keys).where(keys.c.created_at < now - timedelta(seconds=KEY_S)))
            old = jobs.c.finished_at < now - timedelta(seconds=self._keep_s)
            ids = [row.id for row in connection.execute(sa.select(jobs.c.id).where(old).limit(limit)).all()]
            for table in (payloads, attempts, logs, callbacks):
                connection.execute(sa.delete(table).where(table.c.job_id.in_(ids)))
            connection.execute(sa.delete(jobs).where(jobs.c.id.in_(ids)))
            return ids

        ids = self._database.write(work)
        self._stored.remove(ids)
        return len(ids)

    def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        """Get or keep a lease: True for one holder at a time, until `ttl_s` after it last asked.

        A lease that ends impossibly late was taken before the clock was set back, and counts as free.
        """
        now = self._clock.now()
        until = now + timedelta(seconds=ttl_s)

        def work(connection: sa.Connection) -> bool:
            free = (leases.c.expires_at < now) | (leases.c.expires_at > until) | (leases.c.holder == holder)
            mine = sa.update(leases).where(leases.c.name == name, free).values(holder=holder, expires_at=until)
            if connection.execute(mine).rowcount:
                return True
            if connection.execute(sa.select(leases.c.name).where(leases.c.name == name)).first():
                return False
            connection.execute(sa.insert(leases).values(name=name, holder=holder, expires_at=until))
            return True

        try:
            return self._database.write(work, durable=False)
        except sa.exc.IntegrityError:
            # Another process made the row first.
            return False

    def schedule_next(self, name: str) -> datetime | None:
        """When a schedule is due next; None before it was ever seen."""
        query = sa.select(schedules.c.next_at).where(schedules.c.name == name)
        return self._database.read(lambda c: c.execute(query).scalar())

    def set_schedule(self, name: str, next_at: datetime) -> None:
        def work(connection: sa.Connection) -> None:
            changed = sa.update(schedules).where(schedules.c.name == name).values(next_at=next_at)
            if connection.execute(changed).rowcount == 0:
                connection.execute(sa.insert(schedules).values(name=name, next_at=next_at))

        self._database.write(work, repeatable=True)

    def _waiting(self, first: sa.ColumnElement[bool], second: sa.ColumnElement[bool], limit: int) -> list[Job]:
        query = sa.select(jobs).where(jobs.c.state.in_(WAITING), first, second).order_by(jobs.c.id).limit(limit)
        return [job_of(row) for row in self._database.read(lambda c: c.execute(query).all())]

    def _expire(self, connection: sa.Connection, job: Job, now: datetime) -> Job:
        return self._end(connection, job, Event.EXPIRE, "its deadline passed before it could begin", now)

    def _end(self, connection: sa.Connection, job: Job, event: Event, error: str, now: datetime) -> Job:
        after = transition(job.state, event)
        assert isinstance(after, State)  # noqa: S101  # only waiting jobs come here
        expires_at = now + timedelta(seconds=self._result_s)
        return change(connection, job, now, state=after, error=error, finished_at=now, expires_at=expires_at)
