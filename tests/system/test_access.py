"""Keys, scopes and owners through a real server, its workers and their processes."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.problems import assert_problem
from tests.support.servers import Server, wait_for

ADMIN = {"Authorization": "Bearer " + "a" * 40}
QUERY = {"requiredField": "x"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on loopback that asks for keys all the same."""
    env = {"ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": "a" * 40, "SERVICE_MODEL": "sample"}
    server = Server(tmp_path_factory.mktemp("closed"), env=env, ready=False)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as `make run` starts it."""
    server = Server(tmp_path_factory.mktemp("opened"), env={"SERVICE_MODEL": "sample"})
    yield server
    server.stop()


def make_key(server: Server, *scopes: str) -> dict[str, str]:
    made = server.post("/keys", json={"name": "test", "scopes": list(scopes)}, headers=ADMIN)
    assert made.status_code == 201, made.text
    return {"X-API-Key": made.json()["key"]}


def exchange(server: Server, request: bytes) -> bytes:
    """What the server sends back to bytes of ours until it closes the connection, or says no more for a second."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(request)
        answer = connection.recv(65_536)
        connection.settimeout(1)
        try:
            while more := connection.recv(65_536):
                answer += more
        except TimeoutError:
            pass
    return answer


def test_a_stranger_is_refused_before_the_body_is_sent(closed: Server) -> None:
    head = b"POST /sample_model/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = exchange(closed, head + b"Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


def test_a_stranger_who_sends_a_body_is_refused_and_the_next_one_is_answered(closed: Server) -> None:
    for _ in range(3):
        assert_problem(closed.client.put("/datasets/a/b.csv", content=b"x" * 3_000_000), 401)
    assert closed.get("/health/live").status_code == 200


def test_a_queued_prediction_is_computed_as_its_owner_and_shown_to_no_other(closed: Server) -> None:
    ann, bob = make_key(closed, "predict"), make_key(closed, "predict", "train", "submit")
    sent = closed.post("/sample_model/predict", json=QUERY, headers=ann | {"Prefer": "respond-async"})
    place = sent.headers["location"]
    wait_for(lambda: closed.get(place, headers=ann).json()["state"] == "succeeded", "the prediction")
    assert closed.get(f"{place}/result", headers=ann).json() == {"resp1": "Hello x"}
    assert_problem(closed.get(place, headers=bob), 404)
    assert_problem(closed.get(place), 401)
    assert closed.get(place, headers=ADMIN).json()["owner"] == closed.get("/keys/self", headers=ann).json()["id"]


def test_who_started_it_needs_no_key_and_their_browsers_other_pages_get_nothing(opened: Server) -> None:
    assert "access    from this machine without a key" in opened.log
    assert opened.post("/sample_model/predict", json=QUERY).status_code == 200
    own, strange = {"Origin": opened.url}, {"Origin": "https://evil.example"}
    assert opened.post("/sample_model/predict", json=QUERY, headers=own).status_code == 200
    assert_problem(opened.post("/sample_model/predict", json=QUERY, headers=strange), 401)
    assert_problem(opened.get("/models", headers={"Host": "rebound.example"}), 401)
    assert_problem(opened.get("/models", headers={"X-Forwarded-For": "203.0.113.7"}), 401)


def test_a_socket_for_a_stranger_is_not_opened(closed: Server) -> None:
    head = b"GET /sample_model/predict HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert exchange(closed, head + key).split(b" ")[1] in (b"400", b"401", b"403")
