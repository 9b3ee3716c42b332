"""Several processes behind one address."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server, wait_for

COUNTED = 40


@pytest.fixture
def server(start_server: Callable[..., Server], slow: Path) -> Server:
    env = {"ATOLL_PLUGIN_PATH": str(slow.parent), "SERVICE_MODEL": "sample,slow", "WORKERS": "2"}
    return start_server(env=env)


def ask(server: Server, path: str) -> httpx.Response:
    """On a connection of its own, which any process may take; one that is ending may refuse."""

    def answer() -> httpx.Response | None:
        try:
            return httpx.get(f"{server.url}{path}", timeout=60, trust_env=False)
        except httpx.TransportError:
            return None

    return wait_for(answer, path)


def processes(server: Server, count: int) -> set[int]:
    """The processes that answer, once there are `count` of them."""
    seen: set[int] = set()

    def all_seen() -> bool:
        seen.add(ask(server, "/slow/process").json())
        return len(seen) == count

    wait_for(all_seen, f"{count} processes to answer")
    return seen


def metric(server: Server, name: str, labels: str = "") -> float:
    found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", ask(server, "/metrics").text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def requests(server: Server) -> float:
    return metric(server, "atoll_http_requests_total", '{method="GET",route="/params",status="200"}')


def test_two_processes_answer(server: Server) -> None:
    assert len(processes(server, 2)) == 2


def test_the_start_names_the_number_of_processes(server: Server) -> None:
    assert re.search(r"^  processes 2$", server.log, re.MULTILINE)


def test_any_process_answers_for_the_requests_of_all(server: Server) -> None:
    processes(server, 2)
    for _ in range(COUNTED):
        assert ask(server, "/params").status_code == 200
    wait_for(lambda: requests(server) == COUNTED, "all to be counted")
    assert {requests(server) for _ in range(10)} == {COUNTED}


def test_each_process_starts_up_once(server: Server) -> None:
    processes(server, 2)
    assert metric(server, "atoll_startups_total") == 2


def test_counts_survive_a_process_that_is_killed(server: Server) -> None:
    before = processes(server, 2)
    for _ in range(COUNTED):
        ask(server, "/params")
    # A request is counted once it is answered.
    wait_for(lambda: requests(server) == COUNTED, "all to be counted")
    os.kill(min(before), signal.SIGKILL)
    # The other one goes on, and a new one comes.
    wait_for(lambda: ask(server, "/slow/process").json() not in before, "a new process")
    assert requests(server) == COUNTED


def test_gauges_forget_a_process_that_is_killed(server: Server) -> None:
    before = processes(server, 2)
    ready = ("atoll_model_ready", '{model="sample"}')
    wait_for(lambda: metric(server, *ready) == 2, "both processes to be ready")
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: ask(server, "/slow/process").json() not in before, "a new process")
    wait_for(lambda: metric(server, *ready) == 2, "the gauge to count the living")
