"""What a job of Azure Machine Learning tells, in Atoll's words. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from common.submission.records import Observation
from common.submission.runners.objects.manifest import End
from common.submission.states import TaskState

_STATES = {
    "NotStarted": TaskState.PENDING,
    "Scheduled": TaskState.PENDING,
    "Queued": TaskState.PENDING,
    "Provisioning": TaskState.PENDING,
    "Preparing": TaskState.PENDING,
    "Starting": TaskState.PENDING,
    "Paused": TaskState.PENDING,
    "Running": TaskState.RUNNING,
    "Finalizing": TaskState.RUNNING,
    "CancelRequested": TaskState.RUNNING,
    "NotResponding": TaskState.RUNNING,
    "Completed": TaskState.SUCCEEDED,
    "Failed": TaskState.FAILED,
    "Canceled": TaskState.CANCELLED,
}
_TOLD = frozenset({"Running", "Completed"})


def observe(job: Mapping[str, Any]) -> Observation:
    """A job as the REST interface tells it; it knows no exit codes, and no times but that of its making."""
    properties = job["properties"]
    status = str(properties.get("status", "Unknown"))
    return Observation(
        name=str(job["name"]),
        cluster_job_id=str(job["name"]),
        # A status that is not known yet is no end.
        state=_STATES.get(status, TaskState.RUNNING),
        reason=None if status in _TOLD else status,
        submitted_at=_moment(job.get("systemData", {}).get("createdAt")),
    )


def with_end(seen: Observation, end: End | None, *, has_begun: bool) -> Observation:
    """A finished job with what its container said at its end.

    Parameters
    ----------
    has_begun : whether the container has claimed the task.
    """
    if end is None:
        if seen.state is TaskState.FAILED and has_begun:
            return replace(seen, state=TaskState.NODE_FAILED, reason="the container was gone before its end")
        return seen
    state = end.state
    if state is TaskState.CANCELLED or (seen.state is TaskState.CANCELLED and state is not TaskState.TIMED_OUT):
        state = TaskState.CANCELLED if seen.state is TaskState.CANCELLED else TaskState.NODE_FAILED
    reasons = {
        TaskState.TIMED_OUT: "TimeLimit",
        TaskState.OUT_OF_MEMORY: "OutOfMemory",
        TaskState.FAILED: "ExitCode",
        TaskState.SUCCEEDED: None,
    }
    return replace(
        seen,
        state=state,
        reason=reasons.get(state, seen.reason),
        exit_code=end.code,
        nodes=(end.host,) if end.host else (),
        started_at=end.started_at,
        finished_at=end.finished_at,
        cpu_time_s=end.cpu_time_s,
        peak_memory_bytes=end.peak_memory_bytes,
    )


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None
