import json
from typing import Any

import pytest

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.kubernetes.refusals import error_of


def _status(reason: str, message: str, **more: Any) -> str:
    return json.dumps({"kind": "Status", "status": "Failure", "reason": reason, "message": message, **more})


@pytest.mark.parametrize("status", [408, 409, 410, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_down_even_while_submitting(status: int) -> None:
    assert isinstance(error_of(status, _status("X", "wait"), submitting=True), ClusterDown)


def test_how_long_to_wait_is_passed_on() -> None:
    error = error_of(429, _status("TooManyRequests", "slow down"), {"Retry-After": "7"}, submitting=True)
    assert error.headers == {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (400, "BadRequest", 'strict decoding error: unknown field "spec.x"'),
        (403, "Forbidden", 'jobs.batch is forbidden: User "atoll" cannot create resource "jobs"'),
        (404, "NotFound", 'namespaces "nowhere" not found'),
        (413, "RequestEntityTooLarge", "too large"),
        (422, "Invalid", 'Job.batch "x" is invalid'),
    ],
)
def test_what_will_never_be_taken_is_refused_in_the_servers_words(status: int, reason: str, message: str) -> None:
    error = error_of(status, _status(reason, message), submitting=True)
    assert isinstance(error, ClusterRefused)
    assert message in error.detail


def test_the_causes_of_a_422_are_told() -> None:
    causes = [{"field": "spec.parallelism", "message": "must be positive"}]
    error = error_of(422, _status("Invalid", "Job is invalid", details={"causes": causes}), submitting=True)
    assert error.detail.endswith("Job is invalid; spec.parallelism: must be positive")


def test_a_used_up_quota_is_worth_waiting_for() -> None:
    message = 'jobs.batch "x" is forbidden: exceeded quota: small, requested: count/jobs.batch=1'
    assert isinstance(error_of(403, _status("Forbidden", message), submitting=True), ClusterDown)


def test_a_token_that_is_not_taken_fails_no_task() -> None:
    error = error_of(401, _status("Unauthorized", "Unauthorized"), submitting=True)
    assert isinstance(error, ClusterDown)
    assert "token" in error.detail


@pytest.mark.parametrize(
    "body", ["<html>Bad gateway</html>", b"\xff\xfe", None, "[]", '"text"', "{}", '{"details": 3}']
)
def test_answers_of_others_on_the_way_are_survived(body: object) -> None:
    assert "502" in error_of(502, body).detail


def test_a_question_that_is_refused_says_nothing_about_a_task() -> None:
    assert isinstance(error_of(403, _status("Forbidden", "no")), ClusterDown)


def test_a_kind_that_the_cluster_does_not_have_is_told_with_what_may_be_missing() -> None:
    body = _status("NotFound", "the server could not find the requested resource")
    assert "is the operator for it installed?" in error_of(404, body, submitting=True).detail
