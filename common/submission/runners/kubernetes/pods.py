"""What the status of a pod means in Atoll's words. Pure.

The container's exit code and reason (`OOMKilled`), the pod's own (`Evicted`, `DeadlineExceeded`), and the condition
`DisruptionTarget`, which says that it was the node or the scheduler:
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.submission.states import TaskState

Json = Mapping[str, Any]

# What a container waits with that cannot be made; the kubelet keeps on trying.
_CANNOT_BE_MADE = {
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
}
# A pod's own reasons that are the node's, https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
_NODES_FAULT = {
    "Evicted",
    "NodeLost",
    "NodeShutdown",
    "Terminated",
    "Shutdown",
    "Preempting",
    "NodeAffinity",
    "UnexpectedAdmissionError",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfpods",
}
# Where an evicted pod had itself used too much of its own disk.
_OWN_FAULT = re.compile(r"exceed\w* (?:its|the) (?:local ephemeral|total limit|limit)|exceeds the limit", re.IGNORECASE)
_USAGE = re.compile(r"atoll cpu_us=(\d*) peak_bytes=(\d*)")


@dataclass(frozen=True)
class PodEnd:
    """How a pod stands or ended."""

    state: TaskState
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None


def of_pod(pod: Json, now: datetime, stuck_after_s: float) -> PodEnd:
    """How one pod stands."""
    status = pod.get("status") or {}
    phase, reason = status.get("phase"), status.get("reason")
    disrupted = condition(pod, "DisruptionTarget")
    state = _container_state(pod)
    ended = state.get("terminated")
    if phase == "Failed" or (ended and ended.get("exitCode") != 0):
        return _why_pod_failed(status, disrupted, ended)
    if phase == "Succeeded" or ended:
        return PodEnd(TaskState.SUCCEEDED, exit_code=0)
    if phase == "Running" and "waiting" not in state:
        return PodEnd(TaskState.RUNNING)
    # The kubelet does not answer; what runs there may still run.
    if phase == "Unknown" or reason == "NodeLost":
        return PodEnd(TaskState.NODE_FAILED, "NodeLost")
    return _why_waiting(pod, state.get("waiting") or {}, now, stuck_after_s)


def _why_pod_failed(status: Json, disrupted: Json | None, ended: Json | None) -> PodEnd:
    code, signal = _exit(ended)
    word = str((ended or {}).get("reason") or "")
    reason = str(status.get("reason") or "")
    if word == "OOMKilled":
        return PodEnd(TaskState.OUT_OF_MEMORY, word, None, 9)
    if reason == "DeadlineExceeded":
        return PodEnd(TaskState.TIMED_OUT, reason, code, signal)
    message = str(status.get("message") or "")
    if reason == "Evicted" and _OWN_FAULT.search(message):
        return PodEnd(TaskState.FAILED, f"{reason}: {message}", code, signal)
    if reason in _NODES_FAULT or disrupted is not None:
        why = reason or str((disrupted or {}).get("reason") or "DisruptionTarget")
        return PodEnd(TaskState.NODE_FAILED, f"{why}: {message}" if message else why, code, signal)
    return PodEnd(TaskState.FAILED, reason or word or "Error", code, signal)


def _why_waiting(pod: Json, waiting: Json, now: datetime, stuck_after_s: float) -> PodEnd:
    word, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if word in _CANNOT_BE_MADE:
        told = f"{word}: {message}" if message else word
        status = pod.get("status") or {}
        since = time_of(status.get("startTime")) or time_of(pod["metadata"].get("creationTimestamp"))
        stuck = since is not None and now - since >= timedelta(seconds=stuck_after_s)
        return PodEnd(TaskState.FAILED if stuck else TaskState.PENDING, told)
    conditions = (pod.get("status") or {}).get("conditions") or ()
    scheduled = next((one for one in conditions if one.get("type") == "PodScheduled"), None)
    if scheduled is not None and scheduled.get("status") == "False":
        word, message = str(scheduled.get("reason") or ""), str(scheduled.get("message") or "")
        return PodEnd(TaskState.PENDING, f"{word}: {message}" if message else word or None)
    return PodEnd(TaskState.PENDING, word or None)


def _exit(ended: Json | None) -> tuple[int | None, int | None]:
    """Exit code or signal; a shell tells a signal as 128 and its number."""
    if not ended or ended.get("exitCode") is None:
        return None, None
    code = int(ended["exitCode"])
    if ended.get("signal"):
        return None, int(ended["signal"])
    if code < 0:
        return None, -code
    if 128 < code <= 128 + 31:
        return None, code - 128
    return code & 0xFF, None


def condition(of: Json, kind: str) -> Json | None:
    conditions = (of.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), None)


def began(pod: Json) -> datetime | None:
    status = pod.get("status") or {}
    state = _container_state(pod)
    told = (state.get("running") or state.get("terminated") or {}).get("startedAt")
    waits = "waiting" in state or status.get("phase") == "Pending"
    return time_of(told) or (None if waits else time_of(status.get("startTime")))


def finished(pod: Json) -> datetime | None:
    return time_of((_container_state(pod).get("terminated") or {}).get("finishedAt"))


def used(pods: Sequence[Json]) -> tuple[float | None, int | None]:
    """CPU time in seconds, of all, and the highest memory in bytes, as the containers told at their end."""
    cpu_us, peaks = [], []
    for pod in pods:
        message = str((_container_state(pod).get("terminated") or {}).get("message") or "")
        told = _USAGE.search(message)
        if told and told[1]:
            cpu_us.append(int(told[1]))
        if told and told[2]:
            peaks.append(int(told[2]))
    return (sum(cpu_us) / 1e6 if cpu_us else None), (max(peaks) if peaks else None)


def _container_state(pod: Json) -> Json:
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return containers[0].get("state") or {} if containers else {}


def time_of(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
