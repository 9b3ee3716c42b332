"""What Kubernetes says of Jobs and pods, in shapes as it writes them; the stand-in makes only a few of these."""

from datetime import UTC, datetime
from typing import Any

import pytest

from common.submission.records import Observation
from common.submission.runners.kubernetes.states import members, observe, wants_pods
from common.submission.states import TaskState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
COMPLETE = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-21T11:59:00Z"}


def job(*conditions: dict[str, Any], spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    meta = {"name": "j", "uid": "u", "creationTimestamp": "2026-11-21T11:00:00Z"}
    return {"metadata": meta, "spec": spec or {}, "status": {"conditions": list(conditions), **status}}


def pod(phase: str, state: dict[str, Any] | None = None, index: int | None = None, **status: Any) -> dict[str, Any]:
    labels = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
    meta = {"name": "p", "creationTimestamp": "2026-11-21T11:00:01Z", "labels": labels}
    containers = {} if state is None else {"containerStatuses": [{"name": "task", "state": state}]}
    return {"metadata": meta, "spec": {"nodeName": "n1"}, "status": {"phase": phase, **containers, **status}}


def ended(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-11-21T11:10:00Z", "finishedAt": "2026-11-21T11:20:00Z"}
    return {"terminated": {"exitCode": code, "reason": reason, **times, **more}}


def see(given: dict[str, Any], *pods: dict[str, Any], stuck_after_s: float = 600) -> Observation:
    return observe("j", given, pods, NOW, stuck_after_s=stuck_after_s)


def told(seen: Observation) -> tuple[str, str | None, int | None, int | None]:
    return seen.state.value, seen.reason, seen.exit_code, seen.signal


DISRUPTED: dict[str, Any] = {
    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
}
OWN_DISK = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod("Failed", ended(3)), ("failed", "Error", 3, None)),
        (pod("Failed", ended(137, "OOMKilled")), ("out-of-memory", "OOMKilled", None, 9)),
        (pod("Failed", ended(137)), ("failed", "Error", None, 9)),
        (pod("Failed", ended(143)), ("failed", "Error", None, 15)),
        (pod("Failed", ended(0, signal=11)), ("failed", "Error", None, 11)),
        (pod("Failed", ended(255)), ("failed", "Error", 255, None)),
        (pod("Failed", ended(137), reason="DeadlineExceeded"), ("timed-out", "DeadlineExceeded", None, 9)),
        (
            pod("Failed", reason="Evicted", message="low on memory"),
            ("node-failed", "Evicted: low on memory", None, None),
        ),
        (pod("Failed", reason="Evicted", message=OWN_DISK), ("failed", f"Evicted: {OWN_DISK}", None, None)),
        (pod("Failed", ended(143), **DISRUPTED), ("node-failed", "PreemptionByScheduler", None, 15)),
        (pod("Failed", reason="NodeShutdown"), ("node-failed", "NodeShutdown", None, None)),
        (pod("Failed", reason="OutOfcpu"), ("node-failed", "OutOfcpu", None, None)),
        (pod("Failed", reason="UnexpectedAdmissionError"), ("node-failed", "UnexpectedAdmissionError", None, None)),
    ],
)
def test_why_a_job_failed_is_told_by_its_pod(
    given: dict[str, Any], expected: tuple[str, str | None, int | None, int | None]
) -> None:
    assert told(see(job(FAILED), given)) == expected


def test_a_failed_job_whose_pods_are_gone_has_failed_for_its_own_reason() -> None:
    assert told(see(job(FAILED))) == ("failed", "BackoffLimitExceeded: Job has reached the limit", None, None)


def test_the_deadline_of_a_job_is_a_time_out() -> None:
    late = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    assert told(see(job(late))) == ("timed-out", "DeadlineExceeded", None, None)


def test_a_job_that_succeeded_tells_times_node_and_what_it_used() -> None:
    over = ended(0, "Completed", message="atoll cpu_us=2500000 peak_bytes=1048576\n")
    seen = see(job(COMPLETE), pod("Succeeded", over))
    assert told(seen) == ("succeeded", None, 0, None)
    assert (seen.started_at, seen.finished_at) == (
        datetime(2026, 11, 21, 11, 10, tzinfo=UTC),
        datetime(2026, 11, 21, 11, 20, tzinfo=UTC),
    )
    assert seen.nodes == ("n1",)
    assert (seen.cpu_time_s, seen.peak_memory_bytes) == (2.5, 1 << 20)


@pytest.mark.parametrize("message", ["atoll cpu_us= peak_bytes=", "something of the program's own", ""])
def test_a_container_that_does_not_tell_what_it_used_is_fine(message: str) -> None:
    seen = see(job(COMPLETE), pod("Succeeded", ended(0, message=message)))
    assert (seen.cpu_time_s, seen.peak_memory_bytes) == (None, None)


@pytest.mark.parametrize(
    "word", ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "RunContainerError"]
)
def test_a_container_that_cannot_be_made_waits_and_in_the_end_has_failed(word: str) -> None:
    waiting = pod("Pending", {"waiting": {"reason": word, "message": "it says why"}}, startTime="2026-11-21T11:55:00Z")
    assert told(see(job(active=1), waiting)) == ("pending", f"{word}: it says why", None, None)
    assert told(see(job(active=1), waiting, stuck_after_s=300)) == ("failed", f"{word}: it says why", None, None)


def test_a_pod_that_finds_no_node_waits_with_the_schedulers_words() -> None:
    words = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    seen = see(job(active=1), pod("Pending", conditions=[words]))
    assert told(seen) == ("pending", "Unschedulable: 0/3 nodes are available", None, None)


def test_a_container_that_is_being_made_waits() -> None:
    seen = see(job(active=1), pod("Pending", {"waiting": {"reason": "ContainerCreating"}}))
    assert told(seen) == ("pending", "ContainerCreating", None, None)


def test_a_suspended_job_waits() -> None:
    seen = see(job({"type": "Suspended", "status": "True"}))
    assert told(seen) == ("pending", "Suspended", None, None)


def test_a_job_that_is_being_deleted_is_cancelled() -> None:
    given = job(active=1)
    given["metadata"]["deletionTimestamp"] = "2026-11-21T11:59:59Z"
    assert told(see(given)) == ("cancelled", "Deleted", None, None)


def test_a_job_runs_once_its_pod_does() -> None:
    running = pod("Running", {"running": {"startedAt": "2026-11-21T11:30:00Z"}})
    seen = see(job(active=1, ready=1), running)
    assert (seen.state, seen.started_at) == (TaskState.RUNNING, datetime(2026, 11, 21, 11, 30, tzinfo=UTC))
    assert see(job(active=1, ready=1)).state is TaskState.RUNNING
    assert see(job(active=1), pod("Running", startTime="2026-11-21T11:30:00Z")).state is TaskState.RUNNING


def test_interim_conditions_are_no_end() -> None:
    interim = {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}
    assert see(job(interim, active=1, ready=1)).state is TaskState.RUNNING


def test_a_pod_put_in_the_place_of_a_disrupted_one_counts_as_a_restart() -> None:
    first, second = pod("Failed", ended(143), **DISRUPTED), pod("Running", {"running": {}})
    second["metadata"]["creationTimestamp"] = "2026-11-21T11:30:00Z"
    seen = see(job(active=1, ready=1), second, first)
    assert (seen.state, seen.restarts) == (TaskState.RUNNING, 1)


def test_between_two_pods_a_job_waits() -> None:
    assert see(job(failed=1), pod("Failed", ended(143), **DISRUPTED)).state is TaskState.PENDING


def test_elements_of_an_array_are_told_by_their_positions() -> None:
    spec = {"completionMode": "Indexed", "completions": 4}
    given = job(spec=spec, active=1, ready=1, completedIndexes="0", failedIndexes="1")
    seen = see(given, pod("Failed", ended(137, "OOMKilled"), index=1), pod("Running", {"running": {}}, index=2))
    assert [(one.index, one.state.value, one.exit_code) for one in seen.elements] == [
        (0, "succeeded", 0),
        (1, "out-of-memory", None),
        (2, "running", None),
        (3, "pending", None),
    ]
    assert seen.state is TaskState.RUNNING


def test_elements_without_pods_end_with_their_job() -> None:
    spec = {"completionMode": "Indexed", "completions": 3}
    failed = {"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "Job has failed indexes"}
    seen = see(job(failed, spec=spec, completedIndexes="0,2", failedIndexes="1"))
    assert [one.state.value for one in seen.elements] == ["succeeded", "failed", "succeeded"]
    assert seen.state is TaskState.FAILED


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (job(active=1, ready=1), False),
        (job(active=1), True),
        (job(), True),
        (job(COMPLETE), True),
        (job(FAILED), True),
        (job({"type": "Suspended", "status": "True"}), False),
        (job(active=3, ready=3), False),
        (job(active=3, ready=2), True),
    ],
)
def test_pods_are_asked_for_only_where_the_job_tells_too_little(given: dict[str, Any], expected: bool) -> None:
    assert wants_pods(given) is expected


@pytest.mark.parametrize("given", [{"metadata": {"name": "j"}}, {"metadata": {}, "spec": None, "status": None}])
def test_a_job_that_nobody_has_looked_at_waits(given: dict[str, Any]) -> None:
    assert told(see(given)) == ("pending", None, None, None)


def test_intervals_as_kubernetes_writes_them_are_read() -> None:
    assert members("0,2-4,9") == {0, 2, 3, 4, 9}
    assert members("") == set()
