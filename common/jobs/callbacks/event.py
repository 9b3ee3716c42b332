"""What a caller is told about the end of a job. Pure: values only."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from common.jobs.accepted import links
from common.jobs.records import Job
from common.jobs.states import Kind, State

PENDING = "pending"
DELIVERED = "delivered"
GIVEN_UP = "given_up"

_ERROR_CHARS = 4000
_MASK = "***"


class EndedJob(BaseModel):
    """A job that has ended; the fields are those of `GET /jobs/{job_id}`."""

    id: str
    kind: Kind
    model: str
    state: State
    error: str | None
    created: datetime
    queued: datetime
    started: datetime | None
    finished: datetime | None
    links: dict[str, str]


class JobEvent(BaseModel):
    """The body of a callback."""

    type: str = Field(description="`job.` and the state, e.g. `job.succeeded`.")
    timestamp: datetime = Field(description="When the job ended.")
    data: EndedJob


def owed(job: Job, now: datetime) -> dict[str, Any] | None:
    """The row of the event that an ended job's caller asked for; None where nobody asked.

    Its id is that of the job and of the change that ended it, so that the same end is never two events.
    """
    if job.callback_url is None or not job.state.is_finished:
        return None
    return {
        "id": f"{job.id}-{job.version}",
        "job_id": job.id,
        "url": job.callback_url,
        "host": (urlsplit(job.callback_url).hostname or "")[:256],
        "body": body_of(job),
        "state": PENDING,
        "epoch": 0,
        "attempts": 0,
        "created_at": now,
        "next_at": now,
    }


def body_of(job: Job) -> str:
    """The event's body, as it is signed and sent."""
    ended = EndedJob(
        id=job.id,
        kind=job.kind,
        model=job.model,
        state=job.state,
        error=job.error[:_ERROR_CHARS] if job.error else None,
        created=job.created_at,
        queued=job.queued_at,
        started=job.started_at,
        finished=job.finished_at,
        links=links(job.id),
    )
    return JobEvent(type=f"job.{job.state}", timestamp=job.finished_at or job.updated_at, data=ended).model_dump_json()


def masked(url: str) -> str:
    """The address without what may be secret in it: name and password, query, fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _MASK
    _, at, place = parts.netloc.rpartition("@")
    shown = parts._replace(netloc=f"{_MASK}@{place}" if at else place, fragment="")
    return shown._replace(query=_MASK if parts.query else "").geturl()
