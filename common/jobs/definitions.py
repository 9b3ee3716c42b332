"""What the job routes answer."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from common.jobs.accepted import links
from common.jobs.callbacks.definitions import CallbackInfo
from common.jobs.records import Attempt, Job, LogLine
from common.jobs.states import Kind, State


class AttemptInfo(BaseModel):
    """One run of a job."""

    epoch: int = Field(description="Its number; attempts that were interrupted count here too.")
    worker: str
    started: datetime
    ended: datetime | None
    outcome: str | None = Field(description="How it ended; `lost` where its worker vanished.")
    error: str | None

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptInfo":
        return cls(
            epoch=attempt.epoch,
            worker=attempt.worker_id,
            started=attempt.started_at,
            ended=attempt.ended_at,
            outcome=attempt.outcome,
            error=attempt.error,
        )


class JobSummary(BaseModel):
    """A job in a list."""

    id: str
    kind: Kind
    model: str
    owner: str | None = Field(description="Who asked for it; null where nobody had to say.")
    state: State
    progress: float | None = Field(description="0 to 1; null where it is unknown.")
    message: str | None
    metrics: dict[str, Any]
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> "JobSummary":
        return cls(**_summary(job))


class JobInfo(JobSummary):
    """A job."""

    path: str = Field(description="The request that is run.")
    worker: str = Field(description="Class of workers that can run it.")
    attempts: list[AttemptInfo]
    max_attempts: int
    queued: datetime
    heartbeat: datetime | None
    deadline: datetime | None
    expires: datetime | None = Field(description="When its result is forgotten.")
    queue_position: int | None = Field(description="Jobs before it in its queue; null once it runs.")
    callback: CallbackInfo | None = Field(None, description="Null where the caller gave no `X-Callback-Url`.")

    @classmethod
    def detailed(
        cls, job: Job, attempts: list[Attempt], position: int | None, callback: CallbackInfo | None = None
    ) -> "JobInfo":
        return cls(
            **_summary(job),
            path=job.path,
            worker=job.worker,
            attempts=[AttemptInfo.of(attempt) for attempt in attempts],
            max_attempts=job.max_attempts,
            queued=job.queued_at,
            heartbeat=job.heartbeat_at,
            deadline=job.deadline,
            expires=job.expires_at,
            queue_position=position,
            callback=callback,
        )


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class LogLineInfo(BaseModel):
    """A line of a job's log."""

    seq: int = Field(description="Give the last one as `after` to read on.")
    epoch: int
    at: datetime
    level: str
    text: str

    @classmethod
    def of(cls, line: LogLine) -> "LogLineInfo":
        return cls(seq=line.seq, epoch=line.epoch, at=line.at, level=line.level, text=line.text)


def _summary(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "model": job.model,
        "owner": job.owner or None,
        "state": job.state,
        "progress": 1.0 if job.state is State.SUCCEEDED else job.fraction,
        "message": job.message,
        "metrics": dict(job.metrics),
        "error": job.error,
        "created": job.created_at,
        "started": job.started_at,
        "finished": job.finished_at,
        "links": links(job.id),
    }
