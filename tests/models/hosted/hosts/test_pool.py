"""Calls to real hosts, one of which dies while it is called."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from common.errors import SettingsError
from common.settings import HostingSettings, Settings
from tests.models.hosted.test_old_api import enveloped
from tests.support.servers import Server, free_port, wait_for

PATH = "/api/test/sendtomodelhost"
ONLY = {"SERVICE_MODEL": "hosted"}


def address(server: Server) -> str:
    return server.url.removeprefix("http://")


def send(front: Server, data: list[Any]) -> Any:
    return enveloped(front.post(PATH, json={"data": data}), 200)


def test_each_host_answers_with_its_own_id(start_server: Callable[..., Server]) -> None:
    hosts = [start_server(env=ONLY) for _ in range(2)]
    front = start_server(env=ONLY | {"MODEL_HOSTS": ", ".join(map(address, hosts))})
    body = send(front, list(range(10)))
    assert [answer["data"] for answer in body["answers"]] == list(range(10))
    own = {host.post("/hosted/host", json={"data": 1}).json()["id"] for host in hosts}
    assert set(body["hosts"]) == own
    assert len(own) == 2


def test_a_host_that_is_killed_under_load_costs_no_call(start_server: Callable[..., Server]) -> None:
    hosts = [start_server(env=ONLY) for _ in range(3)]
    front = start_server(env=ONLY | {"MODEL_HOSTS": ",".join(map(address, hosts))})
    ids = [host.post("/hosted/host", json={}).json()["id"] for host in hosts]
    answers: list[httpx.Response] = []
    ended = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=front.url, timeout=60, trust_env=False) as client:
            while not ended.is_set():
                answers.append(client.post(PATH, json={"data": ["ONE", "TWO", "THREE"]}))

    callers = [threading.Thread(target=load) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        wait_for(lambda: len(answers) > 30, "answers")
        hosts[0].process.send_signal(signal.SIGKILL)
        hosts[0].process.wait()
        before = len(answers)
        wait_for(lambda: len(answers) > before + 100, "answers without it")
    finally:
        ended.set()
        for caller in callers:
            caller.join()
    assert {answer.status_code for answer in answers} == {200}
    # It is left out from then on, and the others took its calls.
    assert set(send(front, list(range(12)))["hosts"]) == set(ids[1:])


def test_a_name_stands_for_the_addresses_that_it_has(start_server: Callable[..., Server]) -> None:
    host = start_server(env=ONLY)
    # Nothing may listen on the other addresses of the name.
    front = start_server(env=ONLY | {"MODEL_HOSTS": f"http://localhost:{host.url.rpartition(':')[2]}"})
    body = send(front, ["ONE", "TWO"])
    assert body["hosts"] == [host.post("/hosted/host", json={}).json()["id"]]


def test_where_no_host_answers_the_caller_is_told_when_to_come_back(start_server: Callable[..., Server]) -> None:
    front = start_server(env=ONLY | {"MODEL_HOSTS": f"127.0.0.1:{free_port()},no-such-name.invalid:1"})
    answer = front.post(PATH, json={"data": ["ONE"]})
    enveloped(answer, 503, told="model hosts answer")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_callers_key_goes_along(start_server: Callable[..., Server]) -> None:
    key = "k" * 40
    closed = ONLY | {"ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": key}
    host = start_server(env=closed, ready=False)
    front = start_server(env=closed | {"MODEL_HOSTS": address(host)}, ready=False)
    headers = {"Authorization": f"Bearer {key}"}
    assert len(enveloped(front.post(PATH, json={"data": [1]}, headers=headers), 200)["hosts"]) == 1
    assert front.post(PATH, json={"data": [1]}).status_code == 401


@pytest.mark.parametrize("host", ["http://host/path", "ftp://host:1", "two words", "host:port"])
def test_what_is_no_host_is_told_at_the_start(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_HOSTS", host)
    with pytest.raises(SettingsError, match="MODEL_HOSTS"):
        Settings()


def test_hosts_are_read_from_one_variable() -> None:
    given = HostingSettings(model_hosts=("a:1", "https://b:2/", "[::1]:3"))
    assert given.model_hosts == ("a:1", "https://b:2", "[::1]:3")
