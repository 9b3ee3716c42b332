"""What happens to almost every job, in the fewest statements: it begins when it waits, and succeeds when it runs.

Each answers None and changes nothing where anything is out of the ordinary; the store then goes the long way, which
knows every case. On PostgreSQL each is one round trip, because a `WITH` may write; SQLite runs in this process, where
several statements cost no more.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from common.jobs.records import Job, Result
from common.jobs.rows import PART_VALUES, Payloads, job_of
from common.jobs.states import Event, State, transition
from common.jobs.tables import attempts, jobs, payloads


def _from(event: Event, after: State) -> list[State]:
    """The states in which `event` leads to `after`."""
    return [state for state in State if transition(state, event) is after]


# No name may be that of a column: an update within a statement would set the column.
_new = sa.bindparam
_BEGUN = (
    sa.update(jobs)
    .where(
        jobs.c.id == _new("of_job"),
        jobs.c.state.in_(_from(Event.BEGIN, State.RUNNING)),
        jobs.c.due_at <= _new("latest"),
    )
    .values(
        state=State.RUNNING,
        epoch=jobs.c.epoch + 1,
        attempts=jobs.c.attempts + 1,
        version=jobs.c.version + 1,
        started_at=_new("now"),
        heartbeat_at=_new("now"),
        updated_at=_new("now"),
    )
    .returning(jobs)
)
_ADD_ATTEMPT = sa.insert(attempts)

_SUCCEEDED = (
    sa.update(jobs)
    .where(
        jobs.c.id == _new("of_job"),
        jobs.c.epoch == _new("of_epoch"),
        jobs.c.state.in_(_from(Event.SUCCEED, State.SUCCEEDED)),
        # A callback is written with the end, and its body by Python.
        jobs.c.callback_url.is_(None),
    )
    .values(
        state=State.SUCCEEDED,
        version=jobs.c.version + 1,
        result_status=_new("status"),
        result_type=_new("type"),
        error=None,
        heartbeat_at=None,
        finished_at=_new("now"),
        expires_at=_new("expires"),
        updated_at=_new("now"),
    )
    .returning(jobs)
)
_END_ATTEMPT = (
    sa.update(attempts)
    .where(attempts.c.job_id == _new("of_job"), attempts.c.epoch == _new("of_epoch"))
    .values(ended_at=_new("now"), outcome=Event.SUCCEED, error=None)
)


def _begin_at_once() -> sa.Select[Any]:
    begun = _BEGUN.cte("begun")
    attempt = sa.select(begun.c.id, begun.c.epoch, _new("of_worker", type_=sa.String), begun.c.started_at)
    noted = sa.insert(attempts).from_select(["job_id", "epoch", "worker_id", "started_at"], attempt).cte("noted")
    return sa.select(begun).add_cte(noted)


def _succeed_at_once() -> sa.Select[Any]:
    ended = _SUCCEEDED.cte("ended")
    values = [_new(f"part_{name}", type_=payloads.c[name].type) for name in PART_VALUES]
    part = sa.select(ended.c.id, sa.literal("result"), *values)
    add = postgresql.insert(payloads).from_select(["job_id", "part", *PART_VALUES], part)
    stored = add.on_conflict_do_update(
        index_elements=["job_id", "part"], set_={name: add.excluded[name] for name in PART_VALUES}
    ).cte("stored")
    noted = _END_ATTEMPT.where(attempts.c.job_id == ended.c.id).cte("noted")
    return sa.select(ended).add_cte(stored, noted)


_BEGIN_AT_ONCE = _begin_at_once()
_SUCCEED_AT_ONCE = _succeed_at_once()


def begin(connection: sa.Connection, job_id: str, worker_id: str, now: datetime, early_s: float) -> Job | None:
    """Start an attempt of a job that waits and is due, `early_s` before its time at most."""
    values = {"of_job": job_id, "now": now, "latest": now + timedelta(seconds=early_s)}
    if connection.dialect.name == "postgresql":
        row = connection.execute(_BEGIN_AT_ONCE, values | {"of_worker": worker_id}).first()
        return job_of(row) if row else None
    row = connection.execute(_BEGUN, values).first()
    if row is None:
        return None
    attempt = {"job_id": job_id, "epoch": row.epoch, "worker_id": worker_id, "started_at": now}
    connection.execute(_ADD_ATTEMPT, attempt)
    return job_of(row)


def succeed(
    connection: sa.Connection,
    job_id: str,
    epoch: int,
    result: Result,
    body: dict[str, Any],
    now: datetime,
    expires_at: datetime,
) -> Job | None:
    """End an attempt under way with its result; `body` is the prepared payload."""
    mine = {"of_job": job_id, "of_epoch": epoch, "now": now}
    values = mine | {"status": result.status, "type": result.content_type, "expires": expires_at}
    if connection.dialect.name == "postgresql":
        values |= {f"part_{name}": body[name] for name in PART_VALUES}
        row = connection.execute(_SUCCEED_AT_ONCE, values).first()
        return job_of(row) if row else None
    row = connection.execute(_SUCCEEDED, values).first()
    if row is None:
        return None
    Payloads.write(connection, job_id, "result", body)
    connection.execute(_END_ATTEMPT, mine)
    return job_of(row)
