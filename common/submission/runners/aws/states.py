"""What DescribeJobs tells, in Atoll's words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from common.submission.records import Element, Observation
from common.submission.runners.aws.jobs import CANCELLED_REASON
from common.submission.runners.objects.manifest import TIMED_OUT_CODE, End
from common.submission.states import TaskState, of_elements

_WAITING = frozenset({"SUBMITTED", "PENDING", "RUNNABLE", "STARTING"})
# Of the dates that are not there, clients and stand-ins tell the year 1970.
_FIRST_DATE_MS = 86_400_000
_REASONS = {TaskState.TIMED_OUT: "TimeLimit", TaskState.OUT_OF_MEMORY: "OutOfMemoryError"}


def observe(job: Mapping[str, Any]) -> Observation:
    """A job as DescribeJobs tells it."""
    container = job.get("container", {})
    state = state_of(job)
    node = container.get("containerInstanceArn") or container.get("taskArn") or ""
    return Observation(
        name=str(job["jobName"]),
        cluster_job_id=str(job["jobId"]),
        state=state,
        reason=reason_of(job),
        exit_code=_exit_code(container),
        nodes=(node.rpartition("/")[2],) if "/" in node else (),
        submitted_at=_moment(job.get("createdAt")),
        started_at=_moment(job.get("startedAt")),
        finished_at=_moment(job.get("stoppedAt")) if state.is_finished else None,
        restarts=max(0, len(job.get("attempts", [])) - 1),
    )


def array_has_begun(job: Mapping[str, Any]) -> bool:
    """Whether any element of an array runs or has run; the array itself is `PENDING` until all have finished."""
    counts = job.get("arrayProperties", {}).get("statusSummary", {})
    return state_of(job).is_finished or any(counts.get(status) for status in ("RUNNING", "SUCCEEDED", "FAILED"))


def observe_array(job: Mapping[str, Any], children: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> Observation:
    """An array.

    Parameters
    ----------
    children : its elements as DescribeJobs tells them; none of one that has not begun.
    numbers : the user's indices.
    """
    whole = observe(job)
    elements = tuple(
        _element(observe(child), numbers, int(str(child["jobId"]).rpartition(":")[2])) for child in children
    )
    state = of_elements([element.state for element in elements]) if elements else whole.state
    return replace(
        whole,
        state=state,
        reason=whole.reason if state.is_finished or not elements else None,
        finished_at=whole.finished_at if state.is_finished else None,
        elements=tuple(sorted(elements, key=lambda element: element.index)),
    )


def as_only_element(seen: Observation, number: int) -> Observation:
    """The observation of an array of one, which AWS Batch knows as a plain job."""
    return replace(seen, elements=(_element(seen, [number], 0),))


def with_end(seen: Observation, end: End) -> Observation:
    """An observation with what the container itself said at its end."""
    state = seen.state
    if state in (TaskState.FAILED, TaskState.SUCCEEDED) and end.state is not TaskState.CANCELLED:
        state = end.state
    return replace(
        seen,
        state=state,
        reason=_REASONS.get(state, seen.reason),
        exit_code=end.code if seen.exit_code is None else seen.exit_code,
        nodes=seen.nodes or ((end.host,) if end.host else ()),
        cpu_time_s=end.cpu_time_s,
        peak_memory_bytes=end.peak_memory_bytes,
    )


def state_of(job: Mapping[str, Any]) -> TaskState:
    status = str(job.get("status", ""))
    if status in _WAITING:
        return TaskState.PENDING
    if status == "RUNNING":
        return TaskState.RUNNING
    if status == "SUCCEEDED":
        return TaskState.SUCCEEDED
    said = str(job.get("statusReason", ""))
    container = job.get("container", {})
    if str(container.get("reason", "")).startswith("OutOfMemoryError"):
        return TaskState.OUT_OF_MEMORY
    # The container ends its program itself, before the time of AWS Batch is up.
    own = bool(job.get("timeout")) and container.get("exitCode") == TIMED_OUT_CODE
    if own or said.startswith("Job attempt duration exceeded timeout"):
        return TaskState.TIMED_OUT
    if said == CANCELLED_REASON or said.startswith("Dependent Job failed"):
        return TaskState.CANCELLED
    if job.get("isTerminated") or job.get("isCancelled"):
        return TaskState.CANCELLED
    if said.startswith("Host EC2") or "instance was terminated" in said or "Spot" in said:
        return TaskState.NODE_FAILED
    return TaskState.FAILED


def reason_of(job: Mapping[str, Any]) -> str | None:
    """The shortest true word for why it stands where it does."""
    container = job.get("container", {})
    said, told = str(job.get("statusReason", "")), str(container.get("reason", ""))
    status = str(job.get("status", ""))
    if status in _WAITING:
        return said or status
    if status != "FAILED":
        return None
    if told:
        return told
    if said and said != "Essential container in task exited":
        return said
    return "ExitCode" if container.get("exitCode") else said or None


def _element(seen: Observation, numbers: Sequence[int], position: int) -> Element:
    index = numbers[position] if position < len(numbers) else position
    return Element(index, seen.state, seen.exit_code, seen.reason)


def _exit_code(container: Mapping[str, Any]) -> int | None:
    code = container.get("exitCode")
    return code if isinstance(code, int) and 0 <= code <= 255 else None


def _moment(stamp: object) -> datetime | None:
    if not isinstance(stamp, int | float) or stamp < _FIRST_DATE_MS:
        return None
    return datetime.fromtimestamp(stamp / 1000, UTC)
