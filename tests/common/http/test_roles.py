import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from common.http.replay import replay
from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.problems import assert_problem

BODY = b'{"requiredField": "x", "optionalField": "y"}'


Make = Callable[[str], Client]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a client of the sample in a process with these roles."""

    def make(roles: str) -> Client:
        monkeypatch.setenv("ATOLL_ROLES", roles)
        return Client(make_app(tmp_path))

    return make


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/models"),
        ("GET", "/jobs"),
        ("POST", "/sample/predict"),
        ("POST", "/sample_model/predict"),
        ("DELETE", "/healthy"),
        ("GET", "/nowhere"),
    ],
)
def test_a_process_without_the_role_serves_no_requests(client: Make, method: str, path: str) -> None:
    answer = client("queues,timers").request(method, path)
    assert_problem(answer, 404, told="ATOLL_ROLES is queues,timers; send them to one with the role http")


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_a_process_without_the_role_still_says_how_it_is(client: Make, path: str) -> None:
    assert client("queues").get(path).status_code == 200


def test_a_process_with_the_role_serves(client: Make) -> None:
    assert client("http").get("/docs").status_code == 200


def test_a_job_that_a_worker_replays_is_answered(client: Make) -> None:
    answer = asyncio.run(replay(client("queues").app, "POST", "/sample_model/predict", body=BODY))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
