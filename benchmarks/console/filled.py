"""A database with many jobs, as a busy server has after some weeks: nearly all of them have ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.clock import first_id, new_id
from common.database import Database
from common.jobs.states import Kind, State
from common.jobs.tables import jobs

_BATCH = 5000
# The tail of an id: what makes it unique within its microsecond.
_TAIL_CHARS = 16
_APART = timedelta(seconds=2)
_MODELS = ("housing", "imputation", "sentiment", "timeseries")
_ENDS = (*[State.SUCCEEDED] * 44, *[State.FAILED] * 3, *[State.CANCELLED] * 2, State.DEAD)


def fill(database: Database, count: int, *, before: datetime | None = None) -> datetime:
    """Add jobs that have ended, each a little older than the one before; returns when the oldest was made."""
    at = before or datetime.now(UTC) - timedelta(minutes=1)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        at -= _APART
        rows.append(_ended(number, at))
        if len(rows) == _BATCH or number == count - 1:
            with database.transaction(durable=False) as connection:
                connection.execute(sa.insert(jobs), rows)
            rows = []
    return at


def add_running(database: Database) -> str:
    """A job that runs, with nobody who would end it; its id."""
    now = datetime.now(UTC)
    row = _ended(0, now) | {
        "id": new_id(),
        "state": State.RUNNING,
        "fraction": 0.0,
        "heartbeat_at": now,
        "finished_at": None,
        "expires_at": None,
        "message": "0 of 1000 trials",
    }
    with database.transaction() as connection:
        connection.execute(sa.insert(jobs), row)
    return str(row["id"])


def step(database: Database, job_id: str, done: float) -> None:
    """Progress of a job, as its worker would write it."""
    values = {"fraction": done, "message": f"{done:.1%}", "version": jobs.c.version + 1}
    change = sa.update(jobs).where(jobs.c.id == job_id).values(**values)
    with database.transaction(durable=False) as connection:
        connection.execute(change)


def _ended(number: int, at: datetime) -> dict[str, Any]:
    state = _ENDS[number % len(_ENDS)]
    is_training = number % 3 == 0
    model = _MODELS[number % len(_MODELS)]
    failed = state in (State.FAILED, State.DEAD)
    values: dict[str, Any] = {column.name: None for column in jobs.columns}
    return values | {
        "id": first_id(at) + new_id()[-_TAIL_CHARS:],
        "kind": Kind.TRAINING if is_training else Kind.PREDICTION,
        "model": model,
        "owner": "",
        "worker": "train" if is_training else "cpu",
        "queue": "training-train" if is_training else "prediction-cpu",
        "state": state,
        "epoch": 1,
        "attempts": 1,
        "max_attempts": 3,
        "method": "POST",
        "path": f"/{model}/{'train' if is_training else 'predict'}",
        "headers": {"content-type": "application/json", "accept": "*/*"},
        "fraction": 1.0,
        "message": "25 of 25 trials" if is_training else None,
        "metrics": {"trials": 25, "best": 0.1234} if is_training else {},
        "error": "the objective gave nan in all of 25 trials; send other bounds" if failed else None,
        "version": 4,
        "created_at": at,
        "queued_at": at,
        "started_at": at,
        "finished_at": at + timedelta(seconds=number % 90),
        "expires_at": at + timedelta(days=7),
        "enqueued_at": at,
        "due_at": at,
        "updated_at": at,
    }
