"""All SQL of the jobs. `JobStore` is one object; its parts for workers and the scheduler are in two more modules."""

import random
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from common.clock import Clock, first_id, id_time
from common.database import Database
from common.errors import Conflict, Invalid
from common.jobs.attempts import AttemptStore
from common.jobs.blobs import Blobs
from common.jobs.quota import check_open
from common.jobs.records import Accepted, Attempt, Draft, Job, JobFilter, LogLine, Mark, Page, Result
from common.jobs.retry import Failure, RetryPolicy, plan_retry
from common.jobs.rows import Also, Payloads, change, find, job_of, need
from common.jobs.states import WAITING, Event, Refusal, State, transition
from common.jobs.sweeps import KEY_S, SweepStore
from common.jobs.tables import attempts, jobs, keys, logs
from common.settings import JobSettings

# Written once, as those of `rows`.
_ADD = sa.insert(jobs)
_WAITS = (jobs.c.id == sa.bindparam("of_job")) & (jobs.c.epoch == sa.bindparam("of_epoch")) & jobs.c.state.in_(WAITING)
_MARK = sa.update(jobs).where(_WAITS)

_DAY_S = 24 * 3600.0
_EQUAL = ("kind", "model", "owner", "queue")
MAX_PAGE = 500


class JobStore(AttemptStore, SweepStore):
    """Jobs in the database. Every method is one transaction."""

    def __init__(
        self, database: Database, clock: Clock, blobs: Blobs, settings: JobSettings, rng: random.Random | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._payloads = self._stored = Payloads(blobs)
        self._stall_s = settings.stall_s
        self._result_s = settings.result_days * _DAY_S
        self._keep_s = settings.keep_days * _DAY_S
        self._longest_wait_s = settings.retry_cap_s
        rng = rng or random.Random()
        self._plan_lost = lambda job: plan_retry(
            job.attempts,
            Failure("lost"),
            RetryPolicy(job.max_attempts, settings.retry_base_s, settings.retry_cap_s),
            rng,
        )

    def accept(self, draft: Draft, also: Also | None = None) -> Accepted:
        """Write the record of a new job, or find the one that the idempotency key names.

        Parameters
        ----------
        also : done to a new job in the same transaction.

        Raises
        ------
        Invalid
            The key was used for another request in the last 24 hours.
        TooManyRequests
            As many jobs of the owner are open as may be.
        """
        body = self._payloads.prepare(draft.id, draft.body)

        def work(connection: sa.Connection) -> Accepted:
            again = find(connection, draft.id)
            if again is not None:
                return Accepted(again, is_new=True)
            if draft.idempotency_key is not None:
                earlier = self._claim_key(connection, draft, draft.idempotency_key)
                if earlier is not None:
                    return Accepted(earlier, is_new=False)
            check_open(connection, draft.owner, draft.max_open)
            job = self._first(draft)
            connection.execute(_ADD, vars(job))
            self._payloads.add(connection, draft.id, "request", body)
            if also is not None:
                also(connection, job)
            return Accepted(job, is_new=True)

        return self._database.write(work, repeatable=True)

    def mark_enqueued(self, job_id: str, epoch: int) -> None:
        """Note that a message was sent for the job as it waited after attempt number `epoch`."""
        values = {"of_job": job_id, "of_epoch": epoch, "enqueued_at": self._clock.now()}
        self._database.write(lambda c: c.execute(_MARK, values).rowcount, single=True, repeatable=True)

    def request_cancel(self, job_id: str, also: Also | None = None) -> Job:
        """Cancel a waiting job, or ask a running one to stop.

        Parameters
        ----------
        also : done to it in the same transaction.

        Raises
        ------
        NotFound, Conflict
            There is no such job; it has finished.
        """

        def work(connection: sa.Connection) -> Job:
            job, after = self._after(connection, job_id, Event.CANCEL)
            if also is not None:
                also(connection, job)
            now = self._clock.now()
            if after is State.CANCELLED:
                expires_at = now + timedelta(seconds=self._result_s)
                return change(connection, job, now, state=after, finished_at=now, expires_at=expires_at, error=None)
            return change(connection, job, now, state=after)

        return self._database.write(work, repeatable=True)

    def retry_by_person(self, job_id: str, *, max_open: int = 0, also: Also | None = None) -> Job:
        """Put a failed or dead job back into its queue, with all its attempts before it.

        Parameters
        ----------
        max_open : as `Draft.max_open`.
        also : done to it in the same transaction.

        Raises
        ------
        NotFound, Conflict
            There is no such job; it is not failed or dead, or its request is kept no longer.
        TooManyRequests
            As many jobs of its owner are open as may be.
        """

        def work(connection: sa.Connection) -> Job:
            job, after = self._after(connection, job_id, Event.REVIVE)
            check_open(connection, job.owner, max_open)
            if self._payloads.select(connection, job_id, "request") is None:
                raise Conflict("the job's request is kept no longer; send it again as a new job")
            if also is not None:
                also(connection, job)
            now = self._clock.now()
            begun_anew: dict[str, Any] = dict.fromkeys(
                ("error", "finished_at", "expires_at", "enqueued_at", "result_status", "result_type", "deadline")
            )
            return change(connection, job, now, state=after, attempts=0, queued_at=now, due_at=now, **begun_anew)

        return self._database.write(work)

    def get(self, job_id: str) -> Job:
        """The record. Raises `NotFound`."""
        return self._database.read(lambda c: need(c, job_id))

    def list(self, wanted: JobFilter = JobFilter(), cursor: str | None = None, limit: int = 50) -> Page:
        """Jobs, newest first; `cursor` is that of the page before."""
        limit = max(1, min(limit, MAX_PAGE))
        query = _newest(wanted, cursor, limit + 1)
        found = [job_of(row) for row in self._database.read(lambda c: c.execute(query).all())]
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def marks(self, wanted: JobFilter = JobFilter(), cursor: str | None = None, limit: int = 50) -> Sequence[Mark]:
        """Id and version of each job of that page, and where the next one begins: the same as long as nothing in the
        list has changed. A tenth of the work of `list`.
        """
        limit = max(1, min(limit, MAX_PAGE))
        query = _newest(wanted, cursor, limit + 1, jobs.c.id, jobs.c.version)
        found = [(row.id, row.version) for row in self._database.read(lambda c: c.execute(query).all())]
        return [*found[:limit], (found[limit - 1][0] if len(found) > limit else "", 0)]

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        return {State(row[0]): row[1] for row in self._database.read(lambda c: c.execute(query).all())}

    def queue_position(self, job: Job) -> int | None:
        """How many jobs of the same queue are waiting before this one; None if it is not waiting."""
        if not job.state.is_waiting:
            return None
        ahead = (jobs.c.queue == job.queue) & jobs.c.state.in_(WAITING) & (jobs.c.id < job.id)
        query = sa.select(sa.func.count()).select_from(jobs).where(ahead)
        return self._database.read(lambda c: c.execute(query).scalar_one())

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """All attempts, the first one first."""
        query = sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.epoch)
        return [Attempt(**row._mapping) for row in self._database.read(lambda c: c.execute(query).all())]

    def logs(self, job_id: str, after_seq: int = 0, limit: int = 200) -> Sequence[LogLine]:
        """Lines of the job's log after number `after_seq`, the oldest first."""
        columns = [logs.c.seq, logs.c.epoch, logs.c.at, logs.c.level, logs.c.text]
        query = sa.select(*columns).where(logs.c.job_id == job_id, logs.c.seq > after_seq)
        query = query.order_by(logs.c.seq).limit(limit)
        return [LogLine(**row._mapping) for row in self._database.read(lambda c: c.execute(query).all())]

    def request_body(self, job_id: str) -> bytes:
        """The body of the request. Raises `Conflict` where it is kept no longer."""
        row = self._database.read(lambda c: self._payloads.select(c, job_id, "request"))
        if row is None:
            raise Conflict("the job's request is kept no longer")
        return self._payloads.read(row)

    def result(self, job: Job) -> Result | None:
        """The job's answer; None while there is none, or when it is kept no longer."""
        if job.result_status is None or job.result_type is None:
            return None
        row = self._database.read(lambda c: self._payloads.select(c, job.id, "result"))
        return Result(job.result_status, job.result_type, self._payloads.read(row)) if row else None

    def _after(self, connection: sa.Connection, job_id: str, event: Event) -> tuple[Job, State]:
        job = need(connection, job_id, lock=True)
        after = transition(job.state, event)
        if isinstance(after, Refusal):
            raise Conflict(after.reason)
        return job, after

    def _claim_key(self, connection: sa.Connection, draft: Draft, key: str) -> Job | None:
        """The job that the key names already; else it names the draft from now on."""
        if connection.dialect.name == "postgresql":
            # Two requests with one key at the same time: the second waits, then finds the first one's job.
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{draft.owner}\n{key}", 0))
            connection.execute(sa.select(lock))
        mine = (keys.c.owner == draft.owner) & (keys.c.key == key)
        row = connection.execute(sa.select(keys).where(mine)).first()
        now = self._clock.now()
        if row is not None and abs(now - row.created_at) < timedelta(seconds=KEY_S):
            earlier = find(connection, row.job_id)
            if earlier is not None and row.body_hash == draft.body_hash:
                return earlier
            if earlier is not None:
                message = "was used for another request in the last 24 hours; send the same body or choose another key"
                raise Invalid.field("Idempotency-Key", message, key, where="header")
        connection.execute(sa.delete(keys).where(mine))
        values = {"owner": draft.owner, "key": key, "job_id": draft.id, "body_hash": draft.body_hash}
        connection.execute(sa.insert(keys).values(**values, created_at=now))
        return None

    def _first(self, draft: Draft) -> Job:
        now = self._clock.now()
        values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Job))
        values |= {name: value for name, value in vars(draft).items() if name in values}
        values |= dict.fromkeys(("queued_at", "due_at", "updated_at"), now)
        # Ids sort by time, and so are the index of it; the two have to say the same.
        values["created_at"] = id_time(draft.id)
        values |= {"epoch": 0, "attempts": 0, "version": 1}
        return Job(**values | {"state": State.QUEUED, "headers": dict(draft.headers), "metrics": {}})


def _newest(wanted: JobFilter, cursor: str | None, limit: int, *columns: sa.Column[Any]) -> sa.Select[Any]:
    """The newest jobs that are wanted; all of them, or the columns named, `id` among them.

    Each state is asked for by itself: an index gives the newest of one state at once, but not the newest of several.
    """
    conditions = [jobs.c[name] == value for name in _EQUAL if (value := getattr(wanted, name)) is not None]
    if cursor is not None:
        conditions.append(jobs.c.id < cursor)
    if wanted.created_after is not None:
        conditions.append(jobs.c.id >= first_id(wanted.created_after))
    if wanted.created_before is not None:
        conditions.append(jobs.c.id < first_id(wanted.created_before))
    query = sa.select(*(columns or [jobs])).where(*conditions).order_by(jobs.c.id.desc()).limit(limit)
    states = sorted(set(wanted.states))
    if len(states) < 2 or len(states) == len(State):
        return query.where(jobs.c.state == states[0]) if len(states) == 1 else query
    # SQLite takes no LIMIT within a UNION but in a subquery.
    parts = [sa.select(query.where(jobs.c.state == state).subquery()) for state in states]
    found = sa.union_all(*parts).subquery()
    return sa.select(found).order_by(found.c.id.desc()).limit(limit)
