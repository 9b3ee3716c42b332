"""What the status of a SparkApplication means in Atoll's words. Pure.

The operator's states: https://github.com/kubeflow/spark-operator/blob/master/api/v1beta2/sparkapplication_types.go
Why an application failed is told as text only: `driver container failed with ExitCode: 137, Reason: OOMKilled`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from common.submission.records import Observation
from common.submission.runners.kubernetes.pods import time_of
from common.submission.states import TaskState

_STATES: Mapping[str, TaskState] = {
    "": TaskState.PENDING,
    "NEW": TaskState.PENDING,
    "SUBMITTED": TaskState.PENDING,
    "PENDING_SUBMISSION": TaskState.PENDING,
    "PENDING_RERUN": TaskState.PENDING,
    "INVALIDATING": TaskState.PENDING,
    "SUSPENDING": TaskState.PENDING,
    "SUSPENDED": TaskState.PENDING,
    "RESUMING": TaskState.PENDING,
    "RUNNING": TaskState.RUNNING,
    "SUCCEEDING": TaskState.RUNNING,
    "FAILING": TaskState.RUNNING,
    # The operator has lost sight of the driver for a moment.
    "UNKNOWN": TaskState.RUNNING,
    "COMPLETED": TaskState.SUCCEEDED,
    "FAILED": TaskState.FAILED,
    # Tried again by the restart policy first.
    "SUBMISSION_FAILED": TaskState.FAILED,
    "FAILED_SUBMISSION": TaskState.FAILED,
}
_EXIT = re.compile(r"ExitCode: (\d+)")
_MEMORY = re.compile(r"OOMKilled|Container killed.*memory", re.IGNORECASE)
_TIME = re.compile(r"DeadlineExceeded")
_NODE = re.compile(r"Evicted|NodeLost|NodeShutdown|Preempt|driver pod not found|DisruptionTarget", re.IGNORECASE)
# An operator that runs looks at a new application within seconds.
_UNSEEN = timedelta(seconds=60)


def observe(name: str, application: Mapping[str, Any], now: datetime) -> Observation:
    """What an application says."""
    meta, status = application.get("metadata") or {}, application.get("status") or {}
    told = status.get("applicationState") or {}
    word, message = str(told.get("state") or ""), str(told.get("errorMessage") or "")
    state = _STATES.get(word, TaskState.PENDING)
    created = time_of(meta.get("creationTimestamp"))
    reason = message or (word if word not in ("", "RUNNING", "COMPLETED") else "")
    if meta.get("deletionTimestamp") and not state.is_finished:
        state, reason = TaskState.CANCELLED, "Deleted"
    if word == "" and state is TaskState.PENDING and created is not None and now - created > _UNSEEN:
        reason = "no Spark operator has looked at it yet; does one watch this namespace?"
    code, signal = _exit(message) if state is TaskState.FAILED else (None, None)
    if state is TaskState.FAILED:
        state = _why(message)
    if state is TaskState.SUCCEEDED:
        code = 0
    return Observation(
        name=name,
        cluster_job_id=name,
        state=state,
        reason=reason or None,
        exit_code=code,
        signal=signal,
        submitted_at=created,
        started_at=time_of(status.get("lastSubmissionAttemptTime")) if state is not TaskState.PENDING else None,
        finished_at=time_of(status.get("terminationTime")) if state.is_finished else None,
        restarts=max(0, int(status.get("executionAttempts") or 0) - 1),
    )


def is_over(application: Mapping[str, Any]) -> bool:
    state = ((application.get("status") or {}).get("applicationState") or {}).get("state") or ""
    return _STATES.get(state, TaskState.PENDING).is_finished


def _why(message: str) -> TaskState:
    for pattern, state in (
        (_MEMORY, TaskState.OUT_OF_MEMORY),
        (_TIME, TaskState.TIMED_OUT),
        (_NODE, TaskState.NODE_FAILED),
    ):
        if pattern.search(message):
            return state
    return TaskState.FAILED


def _exit(message: str) -> tuple[int | None, int | None]:
    found = _EXIT.search(message)
    if found is None:
        return None, None
    code = int(found[1])
    return (None, code - 128) if 128 < code <= 128 + 31 else (code & 0xFF, None)
