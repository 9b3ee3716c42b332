"""What the status of a Job means in Atoll's words. Pure.

A Job tells little of why it failed; its pods do, as long as they are there (`pods`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from common.submission.records import Element, Observation
from common.submission.runners.kubernetes.pods import PodEnd, began, condition, finished, of_pod, time_of, used
from common.submission.states import TaskState

Json = Mapping[str, Any]

_INDEX = "batch.kubernetes.io/job-completion-index"


def observe(name: str, job: Json, pods: Sequence[Json], now: datetime, *, stuck_after_s: float) -> Observation:
    """What a Job says.

    Parameters
    ----------
    pods : its own; none where they were not asked for, or are gone.
    stuck_after_s : how long a container may not be made before that counts as failed.
    """
    status = job.get("status") or {}
    meta = job.get("metadata") or {}
    ordered = sorted(pods, key=lambda pod: time_of(pod["metadata"].get("creationTimestamp")) or now)
    ends = [of_pod(pod, now, stuck_after_s) for pod in ordered]
    end = _of_job(job, ends)
    elements = _elements(job, ordered, ends)
    starts = [moment for pod in ordered if (moment := began(pod)) is not None]
    if not starts and end.state.is_finished and (known := time_of(status.get("startTime"))) is not None:
        # The pods are gone, or were not asked for: when the Job was first looked at.
        starts = [known]
    ends_at = [moment for pod in ordered if (moment := finished(pod)) is not None]
    cpu_s, peak_bytes = used(ordered)
    return Observation(
        name=name,
        cluster_job_id=name,
        state=end.state,
        reason=end.reason,
        exit_code=end.exit_code,
        signal=end.signal,
        nodes=tuple(sorted({node for pod in ordered if (node := (pod.get("spec") or {}).get("nodeName"))})),
        submitted_at=time_of(meta.get("creationTimestamp")),
        started_at=(min(starts) if elements else max(starts)) if starts else None,
        finished_at=_ended(status, ends_at) if end.state.is_finished else None,
        cpu_time_s=cpu_s,
        peak_memory_bytes=peak_bytes,
        restarts=0 if elements else max(0, len(ordered) - 1),
        elements=elements,
    )


def wants_pods(job: Json) -> bool:
    """Whether the Job alone does not tell enough: it has ended, or has a pod that is not ready."""
    status = job.get("status") or {}
    if (job.get("metadata") or {}).get("deletionTimestamp") or condition(job, "Suspended"):
        return False
    if condition(job, "Complete") or condition(job, "Failed"):
        return True
    return int(status.get("ready") or 0) < max(1, int(status.get("active") or 0))


def is_over(job: Json) -> bool:
    return bool(condition(job, "Complete") or condition(job, "Failed"))


def _of_job(job: Json, ends: Sequence[PodEnd]) -> PodEnd:
    status = job.get("status") or {}
    failed = condition(job, "Failed")
    if failed is not None:
        return _why_failed(failed, ends)
    if condition(job, "Complete"):
        return PodEnd(TaskState.SUCCEEDED, exit_code=0)
    if (job.get("metadata") or {}).get("deletionTimestamp"):
        return PodEnd(TaskState.CANCELLED, "Deleted")
    if condition(job, "Suspended"):
        return PodEnd(TaskState.PENDING, "Suspended")
    active = [end for end in ends if not end.state.is_finished]
    if any(end.state is TaskState.RUNNING for end in active) or int(status.get("ready") or 0) > 0:
        return PodEnd(TaskState.RUNNING)
    stuck = [end for end in ends if end.state is TaskState.FAILED and end.reason and end.exit_code is None]
    # A pod that cannot begin is still active for its Job.
    if stuck and len(stuck) == len(ends) and int(status.get("active") or 0) > 0:
        return stuck[-1]
    if active:
        return PodEnd(TaskState.PENDING, active[-1].reason)
    begun = int(status.get("succeeded") or 0) + int(status.get("failed") or 0) > 0 and _is_array(job)
    return PodEnd(TaskState.RUNNING) if begun else PodEnd(TaskState.PENDING)


def _why_failed(failed: Json, ends: Sequence[PodEnd]) -> PodEnd:
    reason = str(failed.get("reason") or "Failed")
    if reason == "DeadlineExceeded":
        return PodEnd(TaskState.TIMED_OUT, reason)
    over = [end for end in ends if end.state.is_finished and end.state is not TaskState.SUCCEEDED]
    if over:
        order = (TaskState.NODE_FAILED, TaskState.OUT_OF_MEMORY, TaskState.TIMED_OUT, TaskState.FAILED)
        return next((end for state in order for end in reversed(over) if end.state is state), over[-1])
    return PodEnd(TaskState.FAILED, f"{reason}: {failed.get('message', '')}".rstrip(": "))


def _elements(job: Json, pods: Sequence[Json], ends: Sequence[PodEnd]) -> tuple[Element, ...]:
    """Of an Indexed Job, by the position of each; who knows the indices puts them in."""
    if not _is_array(job):
        return ()
    status = job.get("status") or {}
    done, failed = members(status.get("completedIndexes") or ""), members(status.get("failedIndexes") or "")
    latest: dict[int, PodEnd] = {}
    for pod, end in zip(pods, ends, strict=True):
        position = position_of(pod)
        if position:
            latest[int(position)] = end
    found = []
    for number in range(int((job.get("spec") or {}).get("completions") or 0)):
        end = latest.get(number, PodEnd(TaskState.PENDING))
        if number in done:
            end = PodEnd(TaskState.SUCCEEDED, exit_code=0)
        elif number in failed and (not end.state.is_finished or end.state is TaskState.SUCCEEDED):
            end = PodEnd(TaskState.FAILED, "Failed")
        elif is_over(job) and not end.state.is_finished:
            end = _rest_of(job)
        found.append(Element(number, end.state, end.exit_code, end.reason))
    return tuple(found)


def members(intervals: str) -> set[int]:
    """The numbers in what Kubernetes writes as `1,3-5`."""
    found: set[int] = set()
    for part in filter(None, intervals.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def position_of(pod: Json) -> str:
    """Which element a pod of an Indexed Job is; empty for others."""
    meta = pod.get("metadata") or {}
    return str((meta.get("labels") or {}).get(_INDEX) or (meta.get("annotations") or {}).get(_INDEX) or "")


def _rest_of(job: Json) -> PodEnd:
    """Of an element that nothing is known of, when its Job is over."""
    failed = condition(job, "Failed")
    if failed is None:
        return PodEnd(TaskState.SUCCEEDED, exit_code=0)
    reason = str(failed.get("reason") or "Failed")
    return PodEnd(TaskState.TIMED_OUT if reason == "DeadlineExceeded" else TaskState.FAILED, reason)


def _is_array(job: Json) -> bool:
    return bool((job.get("spec") or {}).get("completionMode") == "Indexed")


def _ended(status: Json, pods: Sequence[datetime]) -> datetime | None:
    if pods:
        return max(pods)
    over = [one for one in status.get("conditions") or () if one.get("type") in ("Complete", "Failed")]
    return time_of(status.get("completionTime")) or (time_of(over[0].get("lastTransitionTime")) if over else None)
