"""What the routes of tasks answer. Secrets are hidden in all of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from common.submission.masking import mask_text, masked_spec, secrets_in
from common.submission.records import ClusterInfo, Element, Partition, Task
from common.submission.states import TaskState

# As the service before this one told them, which handed Slurm's words on.
OLD_WORDS: Mapping[TaskState, str] = {
    TaskState.RECEIVED: "PENDING",
    TaskState.SUBMITTING: "PENDING",
    TaskState.PENDING: "PENDING",
    TaskState.RUNNING: "RUNNING",
    TaskState.SUCCEEDED: "COMPLETED",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "CANCELLED",
    TaskState.TIMED_OUT: "TIMEOUT",
    TaskState.OUT_OF_MEMORY: "OUT_OF_MEMORY",
    TaskState.NODE_FAILED: "NODE_FAIL",
    TaskState.LOST: "UNKNOWN",
}


def links(task_id: str) -> dict[str, str]:
    """Where to ask about a task."""
    place = f"/tasks/{task_id}"
    return {"self": place, "logs": f"{place}/logs", "files": f"{place}/files"}


def files_of(task: Task) -> str:
    """Whether its files are here: those of a task that finished and was never on a cluster do not come any more."""
    return "missing" if task.files == "none" and task.state.is_finished else task.files


class TaskAccepted(BaseModel):
    """A task was recorded, and will not be lost."""

    id: str
    name: str
    cluster: str
    state: TaskState
    status: TaskState = Field(description="The state again, as old clients read it.")
    links: dict[str, str]

    @classmethod
    def of(cls, task: Task) -> "TaskAccepted":
        shown = mask_text(task.spec.name, secrets_in(task.spec))
        return cls(
            id=task.id,
            name=shown,
            cluster=task.spec.cluster,
            state=task.state,
            status=task.state,
            links=links(task.id),
        )


class ElementInfo(BaseModel):
    """One element of an array."""

    index: int
    state: TaskState
    exit_code: int | None
    reason: str | None
    links: dict[str, str]

    @classmethod
    def of(cls, element: Element, task_id: str, secrets: Sequence[str]) -> "ElementInfo":
        return cls(
            index=element.index,
            state=element.state,
            exit_code=element.exit_code,
            reason=_hidden(element.reason, secrets),
            links={"logs": f"/tasks/{task_id}/logs?element={element.index}"},
        )


class TaskSummary(BaseModel):
    """A task in a list."""

    id: str
    name: str
    owner: str | None = Field(description="Who asked for it; null where nobody had to say.")
    cluster: str
    state: TaskState
    status: TaskState = Field(description="The state again, as old clients read it.")
    reason: str | None = Field(description="Why, in the cluster's words.")
    exit_code: int | None
    signal: int | None = Field(description="Number of the signal that ended it.")
    attempt: int = Field(description="Counts from 1; a retry is the next one.")
    cluster_job_id: str | None = Field(description="What its cluster calls it.")
    created: datetime
    submitted: datetime | None = Field(description="When its cluster took it.")
    started: datetime | None
    finished: datetime | None
    metrics: dict[str, Any]
    files: str = Field(description="`none`, `collecting`, `complete` or `missing`.")
    labels: dict[str, str]
    links: dict[str, str]

    @classmethod
    def of(cls, task: Task) -> "TaskSummary":
        return cls(**_summary(task, secrets_in(task.spec)))


class TaskInfo(TaskSummary):
    """A task."""

    config: dict[str, Any] = Field(description="What was asked for; secrets as `***`.")
    cluster_name: str = Field(description="The name that it carries on its cluster.")
    nodes: list[str]
    cpu_time_s: float | None
    peak_memory_bytes: int | None
    restarts: int = Field(description="How often its cluster began it anew.")
    retries_left: int
    cancel_asked: bool
    elements: list[ElementInfo] = Field(description="Of an array.")
    run: dict[str, str] | None = Field(description="The MLflow run: `id`, `uri`, `experiment`.")
    run_id: str | None
    result: dict[str, Any] = Field(description="The hosted model that it became a version of.")
    earlier: list[dict[str, Any]] = Field(description="Earlier attempts, the oldest first.")
    program: dict[str, Any] = Field(description="SHA-256 and size of what was sent.")
    updated: datetime | None

    @classmethod
    def detailed(cls, task: Task) -> "TaskInfo":
        secrets = secrets_in(task.spec)
        shown = masked_spec(task.spec)
        tracking = shown.tracking
        run = None
        if task.run_id is not None and tracking is not None:
            run = {"id": task.run_id, "uri": tracking.uri, "experiment": tracking.experiment}
        return cls(
            **_summary(task, secrets),
            config=shown.to_row(),
            cluster_name=task.name,
            nodes=list(task.nodes),
            cpu_time_s=task.cpu_time_s,
            peak_memory_bytes=task.peak_memory_bytes,
            restarts=task.restarts,
            retries_left=task.retries_left,
            cancel_asked=task.cancel_asked,
            elements=[ElementInfo.of(element, task.id, secrets) for element in task.elements],
            run=run,
            run_id=task.run_id,
            result=_hidden_in(task.result, secrets),
            earlier=[_hidden_in(attempt, secrets) for attempt in task.earlier],
            program={"sha256": task.program.sha256, "size_bytes": task.program.size_bytes},
            updated=task.updated_at,
        )


class TaskPageInfo(BaseModel):
    """Tasks, newest first."""

    tasks: list[TaskSummary]
    next: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class Preview(BaseModel):
    """What would be submitted."""

    cluster: str
    kind: str = Field(description="Of the cluster: `local`, `slurm-ssh`, `kubernetes` …")
    name: str = Field(description="The name that it would carry; the id in it is another one each time.")
    script: str = Field(description="The script or manifest; secrets as `***`.")
    config: dict[str, Any]


class FileEntry(BaseModel):
    """A file that a task left."""

    path: str = Field(description="`output/…`, or `task.log` (of an array `task-<index>.log`).")
    size_bytes: int
    link: str


class TaskFiles(BaseModel):
    """The files that a task left, once they are here."""

    state: str = Field(description="`none`, `collecting`, `complete` or `missing`.")
    complete: bool = Field(description="Whether nothing will come any more.")
    attempt: int
    files: list[FileEntry]


class PartitionInfo(BaseModel):
    """A part of a cluster."""

    name: str
    state: str
    is_default: bool
    nodes: int | None
    idle_nodes: int | None
    cpus: int | None
    idle_cpus: int | None
    max_time_s: int | None

    @classmethod
    def of(cls, partition: Partition) -> "PartitionInfo":
        return cls(**vars(partition))


class ClusterView(BaseModel):
    """A cluster, and how it is."""

    name: str
    title: str
    kind: str
    state: str = Field(description="`up`, `degraded`, `down`, or `not usable` where something is missing here.")
    detail: str
    version: str
    partitions: list[PartitionInfo]
    pending: int | None = Field(description="Tasks of anybody that wait, as far as the cluster tells.")
    running: int | None
    load: float | None = Field(description="Share of its CPUs in use, 0 to 1.")
    takes_arrays: bool
    takes_dependencies: bool

    @classmethod
    def of(
        cls, name: str, title: str, kind: str, info: ClusterInfo, *, takes_arrays: bool, takes_dependencies: bool
    ) -> "ClusterView":
        return cls(
            name=name,
            title=title,
            kind=kind,
            state=info.state,
            detail=mask_text(info.detail, ()),
            version=info.version,
            partitions=[PartitionInfo.of(partition) for partition in info.partitions],
            pending=info.pending,
            running=info.running,
            load=info.load,
            takes_arrays=takes_arrays,
            takes_dependencies=takes_dependencies,
        )


class ClusterList(BaseModel):
    """The configured clusters."""

    clusters: list[ClusterView]


class JobStatus(BaseModel):
    """A task as old clients ask for it."""

    job_status: str = Field(description="In Slurm's words: `PENDING`, `RUNNING`, `COMPLETED`, `FAILED` …")
    run_id: str | None = Field(description="Of MLflow.")


def _summary(task: Task, secrets: Sequence[str]) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": mask_text(task.spec.name, secrets),
        "owner": task.owner or None,
        "cluster": task.spec.cluster,
        "state": task.state,
        "status": task.state,
        "reason": _hidden(task.reason, secrets),
        "exit_code": task.exit_code,
        "signal": task.signal,
        "attempt": task.attempt,
        "cluster_job_id": task.cluster_job_id,
        "created": task.created_at,
        "submitted": task.submitted_at,
        "started": task.started_at,
        "finished": task.finished_at,
        "metrics": dict(task.metrics),
        "files": files_of(task),
        "labels": dict(masked_spec(task.spec).labels) if task.spec.labels else {},
        "links": links(task.id),
    }


def _hidden(text: str | None, secrets: Sequence[str]) -> str | None:
    return None if text is None else mask_text(text, secrets)


def _hidden_in(values: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    """The same with texts, at any depth, without secrets."""

    def shown(value: Any) -> Any:
        if isinstance(value, str):
            return mask_text(value, secrets)
        if isinstance(value, Mapping):
            return {name: shown(item) for name, item in value.items()}
        return [shown(item) for item in value] if isinstance(value, list | tuple) else value

    return {name: shown(value) for name, value in values.items()}
