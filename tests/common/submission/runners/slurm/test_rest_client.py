"""Odd answers come from a stand-in that says what a test wants; the real slurmrestd is asked in test_rest_lab."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from common.clock import FakeClock
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.slurm.rest.client import RestClient
from common.submission.runners.slurm.rest.config import SlurmRestConfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class OddServer:
    """A stand-in for slurmrestd: answers with what it is given, and notes what it was sent."""

    def __init__(self) -> None:
        self.answer: tuple[int, str, bytes] = (200, "application/json", b"{}")
        self.trickle = False
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.connections: set[Any] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append((self.command, self.path, dict(self.headers)))
                outer.connections.add(self.client_address)
                status, kind, body = outer.answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not outer.trickle:
                    self.wfile.write(body)
                    return
                for byte in body:
                    try:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(0.05)

            do_POST = do_GET  # noqa: N815 - the base class asks for the name
            do_DELETE = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def says(self, status: int, body: Any, kind: str = "application/json") -> None:
        self.answer = (status, kind, body if isinstance(body, bytes) else json.dumps(body).encode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[OddServer]:
    started = OddServer()
    yield started
    started.close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    return file


@pytest.fixture
def client(server: OddServer, token_file: Path) -> Iterator[RestClient]:
    with connected(server.url, token_file) as found:
        yield found


@contextmanager
def connected(url: str, token_file: Path, **more: Any) -> Iterator[RestClient]:
    found = RestClient(
        SlurmRestConfig.model_validate({
            "name": "atena02", "kind": "slurm-rest", "url": url, "user": "hpc", "token": f"file:{token_file}",
            "folder": "/scratch", "api_version": "v0.0.38", "timeout_s": 5, **more,
        }),
        clock=FakeClock(NOW),
    )  # fmt: skip
    yield found
    found.close()


def test_a_call_says_who_asks_and_with_what_token(client: RestClient, server: OddServer) -> None:
    client.slurm("GET", "jobs")

    [(method, path, headers)] = server.seen
    assert (method, path) == ("GET", "/slurm/v0.0.38/jobs")
    assert (headers["X-SLURM-USER-NAME"], headers["X-SLURM-USER-TOKEN"]) == ("hpc", "first")


def test_a_call_may_be_made_for_another_user(client: RestClient, server: OddServer) -> None:
    client.slurm("POST", "job/submit", user="ana", body={})

    assert server.seen[0][2]["X-SLURM-USER-NAME"] == "ana"


def test_connections_are_kept(client: RestClient, server: OddServer) -> None:
    for _ in range(5):
        client.slurm("GET", "ping")

    assert len(server.connections) == 1


def test_a_token_that_was_renewed_is_used_at_once(client: RestClient, server: OddServer, token_file: Path) -> None:
    client.slurm("GET", "ping")
    token_file.write_text("SLURM_JWT=second\n")
    client.slurm("GET", "ping")

    assert server.seen[1][2]["X-SLURM-USER-TOKEN"] == "second"


def test_a_token_that_is_missing_is_asked_for(client: RestClient, token_file: Path) -> None:
    token_file.unlink()

    with pytest.raises(ClusterDown, match=r"there is no token .*scontrol token username=hpc"):
        client.slurm("GET", "ping")


def test_a_token_that_has_expired_is_not_sent(client: RestClient, server: OddServer, token_file: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": NOW.timestamp() - 1}).encode()).decode().rstrip("=")
    token_file.write_text(f"e30.{claims}.c2ln")

    with pytest.raises(ClusterDown, match=r"has expired.*scontrol token username=hpc"):
        client.slurm("GET", "ping")
    assert server.seen == []


def test_a_token_that_could_break_a_header_is_not_sent(client: RestClient, server: OddServer, token_file: Path) -> None:
    token_file.write_text("a\r\nX-Evil: 1")

    with pytest.raises(ClusterDown, match="is none"):
        client.slurm("GET", "ping")
    assert server.seen == []


def test_no_token_stands_in_what_went_wrong(client: RestClient, server: OddServer) -> None:
    server.says(401, b"Authentication failure", "text/plain")

    with pytest.raises(ClusterDown) as told:
        client.slurm("GET", "ping")
    assert "first" not in told.value.detail


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", ClusterDown),
        (200, [], ClusterDown),
        (200, b"", ClusterDown),
        (200, b'{"jobs": [', ClusterDown),
        (500, b"\xff\xfe", ClusterDown),
        (502, b"<html>Bad gateway</html>", ClusterDown),
        (429, b"slow down", ClusterDown),
        (302, b"", ClusterDown),
        (500, {"errors": [{"error_code": 2000, "error": "Invalid partition"}]}, ClusterRefused),
        (400, b"Unable to parse query.", ClusterRefused),
    ],
)
def test_an_answer_that_is_none_is_one_of_the_two_errors(
    client: RestClient, server: OddServer, status: int, body: Any, error: type[Exception]
) -> None:
    server.says(status, body)

    with pytest.raises(error):
        client.slurm("GET", "jobs")


def test_a_job_that_was_taken_with_a_warning_was_taken(client: RestClient, server: OddServer) -> None:
    server.says(200, {"errors": [{"error_code": 2015, "error": "not available now"}], "job_id": 12})

    assert client.slurm("POST", "job/submit", body={})["job_id"] == 12


def test_an_answer_that_trickles_is_given_up(server: OddServer, token_file: Path) -> None:
    server.says(200, {"jobs": ["x" * 200]})
    server.trickle = True

    with connected(server.url, token_file, timeout_s=0.5) as client, pytest.raises(ClusterDown, match="did not answer"):
        client.slurm("GET", "jobs")


def test_a_server_that_is_not_there_is_down(token_file: Path) -> None:
    with connected("http://127.0.0.1:1", token_file) as client, pytest.raises(ClusterDown, match="cannot be reached"):
        client.slurm("GET", "ping")


def test_the_version_is_asked_for_once(server: OddServer, token_file: Path) -> None:
    server.says(200, {"paths": {"/slurm/v0.0.39/jobs/": {}, "/slurm/v0.0.40/jobs/": {}}})

    with connected(server.url, token_file, api_version=None) as client:
        client.slurm("GET", "ping")
        client.slurm("GET", "ping")

    assert [path for _, path, _ in server.seen] == ["/openapi/v3", "/slurm/v0.0.40/ping", "/slurm/v0.0.40/ping"]


def test_a_server_that_was_upgraded_is_asked_for_its_version_anew(server: OddServer, token_file: Path) -> None:
    with connected(server.url, token_file, api_version=None) as client:
        server.says(200, {"paths": {"/slurm/v0.0.38/jobs": {}}})
        client.slurm("GET", "ping")
        server.says(404, b"Unable find requested URL.", "text/plain")
        with pytest.raises(ClusterDown):
            client.slurm("GET", "ping")
        server.says(200, {"paths": {"/slurm/v0.0.40/jobs": {}}})
        client.slurm("GET", "ping")

    assert server.seen[-1][1] == "/slurm/v0.0.40/ping"


def test_a_server_that_lists_no_version_says_what_to_set(server: OddServer, token_file: Path) -> None:
    server.says(200, {"paths": {}})

    with connected(server.url, token_file, api_version=None) as client, pytest.raises(ClusterDown, match="api_version"):
        client.slurm("GET", "ping")


def test_many_threads_may_call_at_once(client: RestClient, server: OddServer) -> None:
    failed: list[Exception] = []

    def call() -> None:
        try:
            for _ in range(10):
                client.slurm("GET", "ping")
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(exc)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(server.seen) == 80
