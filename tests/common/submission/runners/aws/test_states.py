"""What DescribeJobs tells, by the answers that AWS documents."""

from datetime import UTC, datetime
from typing import Any

import pytest

from common.submission.runners.aws import states
from common.submission.runners.aws.failures import translate
from common.submission.runners.aws.jobs import CANCELLED_REASON
from common.submission.runners.objects.manifest import End
from common.submission.states import TaskState


def job(status: str, **more: Any) -> dict[str, Any]:
    return {"jobName": "n-1", "jobId": "i", "status": status, "createdAt": 1_700_000_000_000, **more}


@pytest.mark.parametrize(
    ("told", "state", "reason", "exit_code"),
    [
        (job("SUBMITTED"), TaskState.PENDING, "SUBMITTED", None),
        (job("RUNNABLE", statusReason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large"), TaskState.PENDING,
         "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large", None),
        (job("STARTING"), TaskState.PENDING, "STARTING", None),
        (job("RUNNING"), TaskState.RUNNING, None, None),
        (job("SUCCEEDED", container={"exitCode": 0}), TaskState.SUCCEEDED, None, 0),
        (job("FAILED", statusReason="Essential container in task exited", container={"exitCode": 3}),
         TaskState.FAILED, "ExitCode", 3),
        (job("FAILED", statusReason="Essential container in task exited",
             container={"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}),
         TaskState.OUT_OF_MEMORY, "OutOfMemoryError: Container killed due to memory usage", 137),
        (job("FAILED", statusReason="Job attempt duration exceeded timeout"), TaskState.TIMED_OUT,
         "Job attempt duration exceeded timeout", None),
        (job("FAILED", statusReason="Essential container in task exited", container={"exitCode": 124},
             timeout={"attemptDurationSeconds": 130}), TaskState.TIMED_OUT, "ExitCode", 124),
        (job("FAILED", statusReason="Host EC2 (instance i-0a1b2c) terminated."), TaskState.NODE_FAILED,
         "Host EC2 (instance i-0a1b2c) terminated.", None),
        (job("FAILED", statusReason=CANCELLED_REASON, container={"exitCode": 143}), TaskState.CANCELLED,
         CANCELLED_REASON, 143),
        (job("FAILED", statusReason="no longer needed", isTerminated=True), TaskState.CANCELLED,
         "no longer needed", None),
        (job("FAILED", statusReason="Dependent Job failed"), TaskState.CANCELLED, "Dependent Job failed", None),
        (job("FAILED", statusReason="Task failed to start",
             container={"reason": "CannotPullContainerError: not found"}), TaskState.FAILED,
         "CannotPullContainerError: not found", None),
    ],
)  # fmt: skip
def test_a_state_of_aws_is_told_in_atolls_words(
    told: dict[str, Any], state: TaskState, reason: str | None, exit_code: int | None
) -> None:
    seen = states.observe(told)
    assert (seen.state, seen.reason, seen.exit_code) == (state, reason, exit_code)


def test_times_host_and_restarts_are_told() -> None:
    seen = states.observe(
        job(
            "SUCCEEDED",
            startedAt=1_700_000_001_000,
            stoppedAt=1_700_000_002_500,
            container={"containerInstanceArn": "arn:aws:ecs:eu:1:container-instance/cluster/abc", "exitCode": 0},
            attempts=[{}, {}],
        )
    )
    assert seen.started_at == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert seen.finished_at == datetime(2023, 11, 14, 22, 13, 22, 500_000, tzinfo=UTC)
    assert (seen.nodes, seen.restarts) == (("abc",), 1)


def test_what_the_container_said_makes_a_state_more_exact() -> None:
    seen = states.observe(job("FAILED", container={"exitCode": 137}))
    killed = states.with_end(seen, End(137, "done", oom_kills=1, cpu_time_s=2.5, peak_memory_bytes=9))
    assert (killed.state, killed.cpu_time_s, killed.peak_memory_bytes) == (TaskState.OUT_OF_MEMORY, 2.5, 9)


def test_a_container_that_was_told_to_end_is_what_aws_says_of_it() -> None:
    seen = states.observe(job("FAILED", statusReason="Host EC2 (instance i-1) terminated."))
    assert states.with_end(seen, End(143, "stopped")).state is TaskState.NODE_FAILED


def test_an_array_whose_elements_run_is_running_though_aws_says_pending() -> None:
    array = job("PENDING", arrayProperties={"size": 2, "statusSummary": {"RUNNING": 1, "RUNNABLE": 1}})
    assert states.array_has_begun(array)
    children = [job("RUNNABLE") | {"jobId": "i:1"}, job("RUNNING") | {"jobId": "i:0"}]
    seen = states.observe_array(array, children, [3, 5])
    assert seen.state is TaskState.RUNNING
    assert [(one.index, one.state) for one in seen.elements] == [(3, TaskState.RUNNING), (5, TaskState.PENDING)]


def test_an_array_that_waits_is_not_looked_into() -> None:
    assert not states.array_has_begun(job("PENDING", arrayProperties={"size": 2, "statusSummary": {"RUNNABLE": 2}}))


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied"])
def test_what_aws_quotes_of_credentials_is_not_shown(code: str) -> None:
    error = translate(code, "the string to sign was SECRET for AKIAEXAMPLE", 403, "SubmitJob", asks=True)
    assert "SECRET" not in error.detail
    assert "AKIA" not in error.detail
