"""Errors over a real connection, and what the log says of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.plugins import write_plugin
from tests.support.problems import assert_problem
from tests.support.servers import Server, wait_for

SECRET = "hunter2-body"  # noqa: S105 - looked for where it must not be


@pytest.fixture
def server(start_server: Callable[..., Server], slow: Path) -> Server:
    write_plugin(slow.parent, "broken", "secret = 'hunter2-local'\nraise RuntimeError('no licence')")
    return start_server(env={"ATOLL_PLUGIN_PATH": str(slow.parent), "SERVICE_MODEL": "sample,slow,broken"})


def events(server: Server) -> Iterator[dict[str, Any]]:
    # The last line may be half written.
    for line in server.log.splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            yield json.loads(line)


def logged(server: Server, request_id: str) -> list[dict[str, Any]]:
    """The events of a request, once its last one is written: that is after the answer."""

    def found() -> list[dict[str, Any]] | None:
        own = [event for event in events(server) if event.get("request_id") == request_id]
        return own if any(event["event"] == "request" for event in own) else None

    return wait_for(found, f"the log of request {request_id}")


def fail(server: Server, request_id: str) -> None:
    response = server.post("/slow/fail", json={"key": SECRET}, headers={"X-Request-ID": request_id})
    assert_problem(response, 500)
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text


def test_a_500_tells_nothing_and_the_log_has_the_traceback_with_the_request_id(server: Server) -> None:
    fail(server, "find-me")
    own = logged(server, "find-me")
    failed = next(event for event in own if event["event"] == "request failed")
    assert failed["exception"][0]["exc_type"] == "RuntimeError"
    assert failed["exception"][0]["frames"][-1]["name"] == "fail"
    assert next(event for event in own if event["event"] == "request")["status"] == 500


def test_the_log_has_no_local_variables_and_no_bodies(server: Server) -> None:
    fail(server, "find-me")
    assert logged(server, "find-me")
    assert "hunter2" not in server.log


def test_a_log_for_people_has_no_local_variables_either(start_server: Callable[..., Server], slow: Path) -> None:
    env = {"ATOLL_PLUGIN_PATH": str(slow.parent), "SERVICE_MODEL": "slow", "LOG_FORMAT": "console"}
    server = start_server(env=env)
    fail(server, "find-me")
    server.wait_for_log("RuntimeError: cannot log in")
    assert "hunter2" not in server.log.replace('password = "hunter2" + "-local"', "")


def test_an_error_while_a_plugin_is_imported_is_logged_without_its_variables(server: Server) -> None:
    failed = next(event for event in events(server) if event["event"] == "plugin cannot be imported")
    assert failed["model"] == "broken"
    assert failed["exception"][0]["exc_value"] == "no licence"
    assert "hunter2" not in server.log


def test_a_body_of_20_megabytes_is_answered_413(sample_server: Server) -> None:
    response = sample_server.post("/sample_model/predict", content=b"x" * 20_000_000)
    assert_problem(response, 413, told="10000000 bytes", kind="too-large")


def test_a_body_of_20_megabytes_in_pieces_is_answered_413(sample_server: Server) -> None:
    response = sample_server.post("/sample_model/predict", content=(b" " * 100_000 for _ in range(200)))
    assert_problem(response, 413, told="10000000 bytes", kind="too-large")


def test_after_a_body_that_is_too_large_the_next_request_is_answered(sample_server: Server) -> None:
    sample_server.post("/sample_model/predict", content=b"x" * 20_000_000)
    assert sample_server.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200


def test_a_log_line_is_written_per_request_but_not_for_health_checks(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    server.get("/health/live")
    server.get("/metrics")
    server.client.head("/params", headers={"X-Request-ID": "find-me"})
    (asked,) = logged(server, "find-me")
    requests = [event for event in events(server) if event["event"] == "request"]
    assert {event["path"] for event in requests} <= {"/models", "/params"}
    assert (asked["method"], asked["status"]) == ("HEAD", 200)


def test_a_line_break_in_a_path_makes_no_second_log_line(sample_server: Server) -> None:
    sample_server.get("/x%0a%7B%22event%22:%22forged%22%7D", headers={"X-Request-ID": "forger"})
    assert logged(sample_server, "forger")
    assert not any(event["event"] == "forged" for event in events(sample_server))
