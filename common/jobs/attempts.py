"""The store's half for workers: attempts, each of whose writes is fenced by its epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.clock import Clock
from common.database import Database
from common.jobs import shortcuts
from common.jobs.errors import Fenced
from common.jobs.records import Attempt, Beat, Job, NewLine, Outcome, Progress, Within
from common.jobs.retry import Decision, Retry
from common.jobs.rows import SKEW_S, Payloads, change, find
from common.jobs.states import ACTIVE, Event, Refusal, State, transition
from common.jobs.tables import attempts, jobs, logs

# A job's log keeps its newest lines.
LOG_LINES = 1000
LOG_TEXT_CHARS = 4000
LOST = "lost"
# A message may be visible a little before the moment it was sent for, by another machine's clock.
_EARLY_S = 0.5

Plan = Callable[[Job], Decision]

# Written once, as those of `rows`.
_UNDER_WAY = (
    (jobs.c.id == sa.bindparam("of_job")) & (jobs.c.epoch == sa.bindparam("of_epoch")) & jobs.c.state.in_(ACTIVE)
)
_TOUCH = sa.update(jobs).where(_UNDER_WAY).returning(jobs.c.state)
_TOUCH_SEEN = _TOUCH.values(version=jobs.c.version + 1)
_STATE = sa.select(jobs.c.state).where(_UNDER_WAY)
_ATTEMPT = (attempts.c.job_id == sa.bindparam("of_job")) & (attempts.c.epoch == sa.bindparam("of_epoch"))
_FIND_ATTEMPT = sa.select(attempts).where(_ATTEMPT)
_END_ATTEMPT = sa.update(attempts).where(_ATTEMPT)
_ADD_ATTEMPT = sa.insert(attempts)


@dataclass(frozen=True)
class NotBegun:
    """Why a message starts no attempt. With `due_in_s` the job is waiting, and its time comes in so many seconds."""

    reason: str
    due_in_s: float | None = None


class AttemptStore:
    """Writes of attempts. Each method is one transaction, and may be called again when its outcome is unknown.

    Parameters
    ----------
    stall_s : seconds without a heartbeat after which an attempt counts as lost.
    result_s : seconds that results are kept.
    longest_wait_s : the longest that a job waits for its next attempt.
    plan_lost : what to do with a job whose attempt was lost.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        payloads: Payloads,
        *,
        stall_s: float,
        result_s: float,
        longest_wait_s: float,
        plan_lost: Plan,
    ) -> None:
        self._database = database
        self._clock = clock
        self._payloads = payloads
        self._stall_s = stall_s
        self._result_s = result_s
        self._longest_wait_s = longest_wait_s
        self._plan_lost = plan_lost

    def begin_attempt(self, job_id: str, worker_id: str) -> Job | NotBegun:
        """Start an attempt; its number is the returned job's `epoch`, and older ones can write no more.

        Parameters
        ----------
        worker_id : unique for this attempt, so that the same call again finds the attempt it began.
        """
        now = self._clock.now()

        def work(connection: sa.Connection) -> Job | NotBegun:
            job = find(connection, job_id, lock=True)
            if job is None:
                return NotBegun("unknown")
            if job.state.is_active:
                attempt = _attempt(connection, job_id, job.epoch)
                if attempt is not None and attempt.worker_id == worker_id:
                    return job
                if job.heartbeat_at is None or now - job.heartbeat_at < timedelta(seconds=self._stall_s):
                    return NotBegun(f"{job.state} already")
                # No scheduler noticed in time: this message came back to a vanished worker's job.
                job = self._give_up(connection, job, now)
            if job.state.is_finished:
                return NotBegun(f"{job.state} already")
            wait_s = (job.due_at - now).total_seconds()
            # Longer than any wait there is: the clock was set back since.
            if _EARLY_S < wait_s <= self._longest_wait_s + SKEW_S:
                return NotBegun("not due", wait_s)
            after = transition(job.state, Event.BEGIN)
            assert isinstance(after, State)  # noqa: S101  # the states before it were sorted out above
            begun = change(
                connection,
                job,
                now,
                state=after,
                epoch=job.epoch + 1,
                attempts=job.attempts + 1,
                started_at=now,
                heartbeat_at=now,
            )
            values = {"job_id": job_id, "epoch": begun.epoch, "worker_id": worker_id, "started_at": now}
            connection.execute(_ADD_ATTEMPT, values)
            return begun

        def quickly(connection: sa.Connection) -> Job | None:
            return shortcuts.begin(connection, job_id, worker_id, now, _EARLY_S)

        single = not self._database.is_sqlite
        begun = self._database.write(quickly, durable=False, single=single, repeatable=True)
        return begun or self._database.write(work, durable=False, repeatable=True)

    def heartbeat(self, job_id: str, epoch: int) -> bool:
        """Say that the attempt lives. True: the job is to be cancelled.

        Raises
        ------
        Fenced
            The attempt is over.
        """
        return self._database.write(lambda c: self._touch(c, job_id, epoch), single=True, repeatable=True)

    def is_cancelling(self, job_id: str, epoch: int) -> bool:
        """Whether the job is to be cancelled; only reads. Raises `Fenced`."""
        mine = {"of_job": job_id, "of_epoch": epoch}
        state = self._database.read(lambda c: c.execute(_STATE, mine).scalar())
        if state is None:
            raise Fenced(job_id)
        return bool(state == State.CANCELLING)

    def progress(self, job_id: str, epoch: int, progress: Progress) -> bool:
        """Write how far the attempt is; also a heartbeat. True: the job is to be cancelled. Raises `Fenced`."""
        values = {
            "fraction": progress.fraction,
            "message": progress.message,
            "metrics": dict(progress.metrics),
            "updated_at": self._clock.now(),
        }
        return self._database.write(lambda c: self._touch(c, job_id, epoch, values), single=True, repeatable=True)

    def append_logs(self, job_id: str, epoch: int, lines: Sequence[NewLine]) -> None:
        """Add to the job's log; the oldest lines make place. Raises `Fenced`."""

        def work(connection: sa.Connection) -> None:
            self._touch(connection, job_id, epoch)
            mine = logs.c.job_id == job_id
            last = connection.execute(sa.select(sa.func.max(logs.c.seq)).where(mine)).scalar() or 0
            rows = [
                {
                    "job_id": job_id,
                    "seq": last + number,
                    "epoch": epoch,
                    "at": line.at,
                    "level": line.level,
                    "text": line.text[:LOG_TEXT_CHARS],
                }
                for number, line in enumerate(lines, start=1)
            ]
            connection.execute(sa.insert(logs), rows[-LOG_LINES:])
            connection.execute(sa.delete(logs).where(mine, logs.c.seq <= last + len(rows) - LOG_LINES))

        if lines:
            self._database.write(work, durable=False)

    def save_checkpoint(self, job_id: str, epoch: int, content: bytes) -> None:
        """Keep what the next attempt can go on from, in place of an older one. Raises `Fenced`."""
        values = self._payloads.prepare(job_id, content)

        def work(connection: sa.Connection) -> None:
            self._touch(connection, job_id, epoch)
            self._payloads.write(connection, job_id, "checkpoint", values)

        self._database.write(work, repeatable=True)

    def load_checkpoint(self, job_id: str) -> bytes | None:
        row = self._database.read(lambda c: self._payloads.select(c, job_id, "checkpoint"))
        return self._payloads.read(row) if row else None

    def finish(self, job_id: str, epoch: int, outcome: Outcome, within: Within | None = None) -> Job:
        """End the attempt: one transaction writes the state, the result and whatever `within` writes.

        `within` runs only where the job succeeds; a job that somebody cancelled in the meantime does not.

        Raises
        ------
        Fenced
            The attempt is over already, and not by an earlier call of the same.
        """
        now = self._clock.now()
        result = outcome.result
        body = self._payloads.prepare(job_id, result.body) if result else None

        def quickly(connection: sa.Connection) -> Job | None:
            if outcome.event is not Event.SUCCEED or result is None or body is None:
                return None
            expires_at = now + timedelta(seconds=self._result_s)
            ended = shortcuts.succeed(connection, job_id, epoch, result, body, now, expires_at)
            if ended is not None and within is not None:
                within(connection)
            return ended

        def work(connection: sa.Connection) -> Job:
            quick = quickly(connection)
            if quick is not None:
                return quick
            job = find(connection, job_id, lock=True)
            if job is None or job.epoch != epoch or not job.state.is_active:
                ended = _attempt(connection, job_id, epoch)
                if job is not None and ended is not None and ended.outcome == outcome.event:
                    return job
                raise Fenced(job_id)
            after = transition(job.state, outcome.event)
            if isinstance(after, Refusal):
                raise AssertionError(after.reason)
            values: dict[str, Any] = {}
            if after is State.SUCCEEDED and within is not None:
                within(connection)
            if after in (State.SUCCEEDED, State.FAILED, State.DEAD) and result is not None and body is not None:
                self._payloads.write(connection, job_id, "result", body)
                values = {"result_status": result.status, "result_type": result.content_type}
            if outcome.event is Event.INTERRUPT:
                # The worker had to leave; that says nothing against the job.
                values["attempts"] = job.attempts - 1
            ended_job = self._settle(connection, job, after, now, outcome.error, outcome.delay_s, values)
            _end(connection, job, outcome.event.value, outcome.error, now)
            return ended_job

        return self._database.write(work, repeatable=True)

    def lose(self, beat: Beat) -> Job | None:
        """Give up an attempt whose heartbeat has not changed since it was read; None if it has."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> Job | None:
            job = find(connection, beat.job_id, lock=True)
            same = job is not None and job.epoch == beat.epoch and job.heartbeat_at == beat.heartbeat_at
            return self._give_up(connection, job, now) if job and same and job.state.is_active else None

        return self._database.write(work)

    def _give_up(self, connection: sa.Connection, job: Job, now: datetime) -> Job:
        decision = self._plan_lost(job)
        error = f"the worker vanished during attempt {job.attempts} of {job.max_attempts}"
        event = Event.RETRY if isinstance(decision, Retry) else Event.EXHAUST
        after = transition(job.state, event)
        assert isinstance(after, State)  # noqa: S101  # only active jobs come here
        _end(connection, job, LOST, error, now)
        delay_s = decision.delay_s if isinstance(decision, Retry) else 0.0
        return self._settle(connection, job, after, now, error, delay_s, {})

    def _settle(
        self,
        connection: sa.Connection,
        job: Job,
        after: State,
        now: datetime,
        error: str | None,
        delay_s: float,
        values: dict[str, Any],
    ) -> Job:
        """Write the state that follows an attempt, with the times that belong to it."""
        if after.is_waiting:
            due_at = now + timedelta(seconds=delay_s)
            values = values | {"queued_at": now, "due_at": due_at, "enqueued_at": None}
        else:
            values = values | {"finished_at": now, "expires_at": now + timedelta(seconds=self._result_s)}
        shown = error if after in (State.FAILED, State.DEAD, State.RETRYING) else None
        return change(connection, job, now, state=after, error=shown, heartbeat_at=None, **values)

    def _touch(self, connection: sa.Connection, job_id: str, epoch: int, values: dict[str, Any] | None = None) -> bool:
        mine = {"of_job": job_id, "of_epoch": epoch, "heartbeat_at": self._clock.now()}
        state = connection.execute(_TOUCH_SEEN if values else _TOUCH, mine | (values or {})).scalar()
        if state is None:
            raise Fenced(job_id)
        return bool(state == State.CANCELLING)


def _attempt(connection: sa.Connection, job_id: str, epoch: int) -> Attempt | None:
    row = connection.execute(_FIND_ATTEMPT, {"of_job": job_id, "of_epoch": epoch}).first()
    return Attempt(**row._mapping) if row else None


def _end(connection: sa.Connection, job: Job, outcome: str, error: str | None, now: datetime) -> None:
    mine = {"of_job": job.id, "of_epoch": job.epoch}
    connection.execute(_END_ATTEMPT, {**mine, "ended_at": now, "outcome": outcome, "error": error})
