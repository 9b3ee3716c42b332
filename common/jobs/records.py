"""What the kernel's parts tell each other about jobs. Plain values; no SQL here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.jobs.states import Event, Kind, State

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Runs within the transaction that finishes a job, so that its effect and the job's end are one.
Within = Callable[["Connection"], object]
# Id and version of a job in a list.
Mark = tuple[str, int]


@dataclass(frozen=True)
class Draft:
    """A job as asked for, before it is accepted.

    Parameters
    ----------
    worker : the class of workers that can run it, `cpu` or `train`.
    path, method, headers, body : the request to run.
    idempotency_key : the caller's own name for the job; `owner` and key together are unique for 24 hours.
    callback_url : where the caller wants to be told of the end.
    deadline : when it is of no use any more.
    traceparent : W3C trace context of the request.
    max_open : how many jobs of the owner may wait or run, this one among them; 0 for any.
    """

    id: str
    kind: Kind
    queue: str
    path: str
    model: str = ""
    owner: str = ""
    worker: str = "cpu"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    idempotency_key: str | None = None
    body_hash: str = ""
    callback_url: str | None = None
    deadline: datetime | None = None
    traceparent: str | None = None
    max_attempts: int = 3
    max_open: int = 0


@dataclass(frozen=True)
class Job:
    """The record of a job, without its bodies.

    `attempts` counts those that began, but for interrupted ones; `epoch` numbers all of them. `version` grows with
    every change that a reader can see. `enqueued_at` is None while no message has been sent for it. `due_at` is when
    a waiting job may begin.
    """

    id: str
    kind: Kind
    model: str
    owner: str
    worker: str
    queue: str
    state: State
    epoch: int
    attempts: int
    max_attempts: int
    method: str
    path: str
    headers: Mapping[str, str]
    idempotency_key: str | None
    callback_url: str | None
    deadline: datetime | None
    traceparent: str | None
    fraction: float | None
    message: str | None
    metrics: Mapping[str, Any]
    result_status: int | None
    result_type: str | None
    error: str | None
    version: int
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    enqueued_at: datetime | None
    due_at: datetime
    updated_at: datetime

    @property
    def delay_s(self) -> float:
        """How long it was told to wait, when it was queued the last time."""
        return max(0.0, (self.due_at - self.queued_at).total_seconds())


@dataclass(frozen=True)
class Accepted:
    """`is_new` is False where the idempotency key named a job that was there already."""

    job: Job
    is_new: bool


@dataclass(frozen=True)
class Attempt:
    """One run of a job. `outcome` is an event's name, `lost` where the worker vanished, None while it runs."""

    job_id: str
    epoch: int
    worker_id: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: str | None


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log."""

    seq: int
    epoch: int
    at: datetime
    level: str
    text: str


@dataclass(frozen=True)
class NewLine:
    """A line that is not stored yet."""

    at: datetime
    text: str
    level: str = "info"


@dataclass(frozen=True)
class Result:
    """The answer of a job: what the direct call would have answered."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""


@dataclass(frozen=True)
class Progress:
    """How far a job is: `fraction` of 0 to 1, or None where it is unknown."""

    fraction: float | None = None
    message: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    `delay_s` is for `retry`: seconds before the next attempt. A `result` may come with a refusal: the error's body.
    """

    event: Event
    error: str | None = None
    result: Result | None = None
    delay_s: float = 0.0


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; None is any, and so is no state.

    `created_after` is included, `created_before` is not.
    """

    states: Sequence[State] = ()
    kind: Kind | None = None
    model: str | None = None
    owner: str | None = None
    queue: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Jobs, newest first; `cursor` asks for the next page, None at the end."""

    jobs: list[Job]
    cursor: str | None

    @property
    def marks(self) -> list[Mark]:
        """What `JobStore.marks` tells of the same page."""
        return [(job.id, job.version) for job in self.jobs] + [(self.cursor or "", 0)]


@dataclass(frozen=True)
class Beat:
    """The heartbeat of an attempt under way, as last written."""

    job_id: str
    epoch: int
    heartbeat_at: datetime
