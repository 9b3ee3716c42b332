"""What the parts of the package tell each other about tasks. Plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from common.storage.blobs import BlobRef
from common.submission.spec import TaskSpec
from common.submission.states import TaskState


@dataclass(frozen=True)
class Element:
    """One element of an array, as its cluster sees it."""

    index: int
    state: TaskState
    exit_code: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Observation:
    """What a cluster says of one submission, in Atoll's words.

    Parameters
    ----------
    name : the submission's own (`names.cluster_name`).
    state : one of `states.OBSERVABLE`.
    reason : the cluster's own word, e.g. `Priority`, `OOMKilled`, `ExitCode`.
    exit_code : 0 to 255; None while it is unknown, and where a signal ended it.
    signal : the number of the signal that ended it.
    restarts : how often the cluster itself put it back and began it anew.
    elements : of an array.
    """

    name: str
    cluster_job_id: str
    state: TaskState
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    nodes: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cpu_time_s: float | None = None
    peak_memory_bytes: int | None = None
    restarts: int = 0
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Known:
    """A submission that was made, as a runner is asked about it.

    Parameters
    ----------
    cluster_job_id : None where it is not known whether the cluster has it.
    """

    task_id: str
    name: str
    cluster_job_id: str | None
    owner: str
    spec: TaskSpec


@dataclass(frozen=True)
class Package:
    """What lies in a task's folder when it begins, by path relative to it.

    `run.sh` (the script to run, see `script`), `params.json`, `program/…`, `inputs/…`. `output/` is made by `run.sh`.
    """

    files: Mapping[str, Path | bytes]

    @property
    def size_bytes(self) -> int:
        return sum(len(file) if isinstance(file, bytes) else file.stat().st_size for file in self.files.values())


@dataclass(frozen=True)
class Submission:
    """What a runner is asked to submit.

    Parameters
    ----------
    name : the submission's own (`names.cluster_name`); a cluster takes it at most once, however often it is asked.
    owner : who asked for it, for clusters that map owners to accounts of their own.
    depends_on : ids, on this cluster, of what has to succeed before.
    """

    task_id: str
    name: str
    owner: str
    spec: TaskSpec
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partition:
    """A part of a cluster that tasks can be sent to."""

    name: str
    state: str = "up"
    is_default: bool = False
    nodes: int | None = None
    idle_nodes: int | None = None
    cpus: int | None = None
    idle_cpus: int | None = None
    max_time_s: int | None = None


@dataclass(frozen=True)
class ClusterInfo:
    """How a cluster is.

    Parameters
    ----------
    state : `up`, `down` or `degraded`.
    pending, running : tasks of anybody, as far as the cluster tells.
    load : share of its CPUs in use, 0 to 1.
    """

    state: str
    detail: str = ""
    version: str = ""
    partitions: Sequence[Partition] = ()
    pending: int | None = None
    running: int | None = None
    load: float | None = None


@dataclass(frozen=True)
class LogPart:
    """A piece of a log. `size_bytes` is the log's whole length so far; None where the cluster does not tell."""

    content: bytes
    offset: int
    size_bytes: int | None = None


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks to list; None is any, and so is no state.

    `created_after` is included, `created_before` is not.
    """

    states: Sequence[TaskState] = ()
    cluster: str | None = None
    owner: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True)
class Task:
    """The record of a task.

    `attempt` counts from 1, `earlier` holds what became of those before. `version` grows with every change that a
    reader can see. `files` is `none`, `collecting`, `complete` or `missing`. `retries_left` is how often Atoll still
    begins it anew by itself. A `held` one waits for tasks that its cluster cannot wait for; `missing_since` is since
    when its cluster does not know it. `marks` is what its owner may do, as the kernel keeps it with jobs.
    """

    id: str
    owner: str
    spec: TaskSpec
    program: BlobRef
    state: TaskState
    attempt: int
    name: str
    job_id: str | None
    cluster_job_id: str | None
    reason: str | None
    exit_code: int | None
    signal: int | None
    nodes: tuple[str, ...]
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cpu_time_s: float | None
    peak_memory_bytes: int | None
    restarts: int
    elements: tuple[Element, ...]
    cancel_asked: bool
    files: str
    run_id: str | None
    metrics: Mapping[str, Any]
    result: Mapping[str, Any] = field(default_factory=dict)
    earlier: Sequence[Mapping[str, Any]] = ()
    version: int = 1
    updated_at: datetime | None = None
    retries_left: int = 0
    held: bool = False
    missing_since: datetime | None = None
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> Known:
        return Known(self.id, self.name, self.cluster_job_id, self.owner, self.spec)


# Id, attempt and version of a task in a list.
Mark = tuple[str, int, int]


@dataclass(frozen=True)
class TaskPage:
    """Tasks, newest first; `cursor` asks for the next page, None at the end."""

    tasks: Sequence[Task]
    cursor: str | None

    @property
    def marks(self) -> Sequence[Mark]:
        """What `TaskStore.marks` tells of the same page."""
        return [*((task.id, task.attempt, task.version) for task in self.tasks), (self.cursor or "", 0, 0)]


@dataclass(frozen=True)
class AcceptedTask:
    """`is_new` is False where the idempotency key named a task that was there already."""

    task: Task
    is_new: bool


@dataclass(frozen=True)
class Brief:
    """What others need to know of a task that they wait for."""

    id: str
    state: TaskState
    cluster: str
    cluster_job_id: str | None
    retries_left: int
