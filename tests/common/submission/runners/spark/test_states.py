"""What the Spark operator says of applications; the shapes are its own, the stand-in runs no operator."""

from datetime import UTC, datetime
from typing import Any

import pytest

from common.submission.records import Observation
from common.submission.runners.spark.states import observe
from common.submission.states import TaskState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def see(state: str, message: str = "", **status: Any) -> Observation:
    told = {"state": state, **({"errorMessage": message} if message else {})}
    meta = {"name": "a", "creationTimestamp": "2026-11-21T11:59:30Z"}
    return observe("a", {"metadata": meta, "status": {"applicationState": told, **status}}, NOW)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("", "pending"),
        ("SUBMITTED", "pending"),
        ("PENDING_RERUN", "pending"),
        ("SUSPENDED", "pending"),
        ("RUNNING", "running"),
        ("SUCCEEDING", "running"),
        ("FAILING", "running"),
        ("UNKNOWN", "running"),
        ("COMPLETED", "succeeded"),
        ("FAILED", "failed"),
        ("SUBMISSION_FAILED", "failed"),
        ("SOMETHING_NEW", "pending"),
    ],
)
def test_each_state_of_the_operator_has_one_of_ours(word: str, state: str) -> None:
    assert see(word).state.value == state


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("driver container failed with ExitCode: 3, Reason: Error", ("failed", 3, None)),
        ("driver container failed with ExitCode: 137, Reason: OOMKilled", ("out-of-memory", None, 9)),
        ("driver pod failed: DeadlineExceeded", ("timed-out", None, None)),
        ("driver pod failed: Evicted, The node was low on resource: memory.", ("node-failed", None, None)),
        ("driver pod not found", ("node-failed", None, None)),
        ("failed to run spark-submit: no such file", ("failed", None, None)),
    ],
)
def test_why_it_failed_is_read_from_its_message(message: str, expected: tuple[str, int | None, int | None]) -> None:
    seen = see("FAILED", message)
    assert (seen.state.value, seen.exit_code, seen.signal) == expected
    assert seen.reason == message


def test_times_and_restarts_are_told() -> None:
    times = {"lastSubmissionAttemptTime": "2026-11-21T11:50:00Z", "terminationTime": "2026-11-21T11:55:00Z"}
    seen = see("COMPLETED", executionAttempts=2, **times)
    assert (seen.exit_code, seen.restarts) == (0, 1)
    assert seen.started_at == datetime(2026, 11, 21, 11, 50, tzinfo=UTC)
    assert seen.finished_at == datetime(2026, 11, 21, 11, 55, tzinfo=UTC)


def test_an_application_that_no_operator_looks_at_says_so() -> None:
    old = {"metadata": {"name": "a", "creationTimestamp": "2026-11-21T11:00:00Z"}}
    seen = observe("a", old, NOW)
    assert seen.state is TaskState.PENDING
    assert "does one watch this namespace?" in (seen.reason or "")
    assert see("").reason is None


def test_an_application_that_is_being_deleted_is_cancelled() -> None:
    given = {
        "metadata": {"name": "a", "deletionTimestamp": "2026-11-21T11:59:00Z"},
        "status": {"applicationState": {"state": "RUNNING"}},
    }
    assert observe("a", given, NOW).state is TaskState.CANCELLED
