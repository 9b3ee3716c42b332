"""Reading and changing rows within a transaction; what the stores share."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.errors import AtollError
from common.jobs.blobs import INLINE_BYTES, Blobs
from common.jobs.callbacks.event import owed
from common.jobs.errors import no_job
from common.jobs.records import Job
from common.jobs.states import Kind, State
from common.jobs.tables import callbacks, jobs, payloads
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

# A time that should lie in the past but is further ahead than this was written before the clock was set back.
SKEW_S = 20.0

# Statements are written once: to build one takes several times as long as to run it. What an update sets, and an
# insert's columns, are those of the values it is executed with.
_FIND = sa.select(jobs).where(jobs.c.id == sa.bindparam("wanted"))
_FIND_LOCKED = _FIND.with_for_update()
_CHANGE = sa.update(jobs).where(jobs.c.id == sa.bindparam("wanted"))
_OWE = sa.insert(callbacks)
_PART = (payloads.c.job_id == sa.bindparam("of_job")) & (payloads.c.part == sa.bindparam("of_part"))
_FIND_PART = sa.select(payloads).where(_PART)
_ADD_PART = sa.insert(payloads)
PART_VALUES = ("content", "blob", "size_bytes")


def _write_part(insert: Callable[..., Any]) -> Any:
    add = insert(payloads)
    return add.on_conflict_do_update(
        index_elements=["job_id", "part"], set_={name: add.excluded[name] for name in PART_VALUES}
    )


_WRITE_PART = {"sqlite": _write_part(sqlite.insert), "postgresql": _write_part(postgresql.insert)}


# Done to a job within the transaction that changes it.
Also = Callable[[sa.Connection, Job], None]


def job_of(row: sa.Row[Any]) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"kind": Kind(values["kind"]), "state": State(values["state"])})


def find(connection: sa.Connection, job_id: str, *, lock: bool = False) -> Job | None:
    """A job; `lock` keeps others from changing it before the transaction ends (SQLite's writers are alone anyway)."""
    row = connection.execute(_FIND_LOCKED if lock else _FIND, {"wanted": job_id}).first()
    return job_of(row) if row else None


def need(connection: sa.Connection, job_id: str, *, lock: bool = False) -> Job:
    job = find(connection, job_id, lock=lock)
    if job is None:
        raise no_job(job_id)
    return job


def change(connection: sa.Connection, job: Job, now: datetime, **values: Any) -> Job:
    """Write `values` to a locked job, as a change that readers see. Its end is written with the callback it owes."""
    values |= {"version": job.version + 1, "updated_at": now}
    connection.execute(_CHANGE, {"wanted": job.id, **values})
    changed = replace(job, **values)
    event = None if job.state.is_finished else owed(changed, now)
    if event is not None:
        connection.execute(_OWE, event)
    return changed


def older_than(
    column: sa.ColumnElement[datetime], now: datetime, age_s: float, *, ahead_s: float = 0.0
) -> sa.ColumnElement[bool]:
    """Whether a time is more than `age_s` ago, or more than `ahead_s` ahead: then the clock was set back since."""
    return sa.or_(column < now - timedelta(seconds=age_s), column > now + timedelta(seconds=ahead_s + SKEW_S))


class Payloads:
    """Bodies: small ones in the database, large ones on the share.

    A large one is put on the share before the transaction that names it, so a name never precedes its content.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def prepare(self, job_id: str, content: bytes) -> dict[str, Any]:
        """The values of a row, the content being safe where they say."""
        inline = len(content) <= INLINE_BYTES
        return {
            "content": content if inline else None,
            "blob": None if inline else self._blobs.put(job_id, content),
            "size_bytes": len(content),
        }

    @staticmethod
    def add(connection: sa.Connection, job_id: str, part: str, values: dict[str, Any]) -> None:
        """Write a part that is not there yet."""
        connection.execute(_ADD_PART, {"job_id": job_id, "part": part, **values})

    @staticmethod
    def write(connection: sa.Connection, job_id: str, part: str, values: dict[str, Any]) -> None:
        """Write a part, in place of an older one."""
        connection.execute(_WRITE_PART[connection.dialect.name], {"job_id": job_id, "part": part, **values})

    @staticmethod
    def select(connection: sa.Connection, job_id: str, part: str) -> sa.Row[Any] | None:
        return connection.execute(_FIND_PART, {"of_job": job_id, "of_part": part}).first()

    def read(self, row: sa.Row[Any]) -> bytes:
        return row.content if row.blob is None else self._blobs.get(row.blob)

    def remove(self, job_ids: Sequence[str]) -> None:
        """Remove what lies on the share for jobs whose rows are gone; what cannot be reached now stays there."""
        try:
            for job_id in job_ids:
                self._blobs.remove(job_id)
        except AtollError as exc:
            log.warning("stored bodies cannot be removed", error=exc.detail)
