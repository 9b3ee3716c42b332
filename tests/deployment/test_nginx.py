"""The proxy of compose.yaml: a real nginx with its configuration, before real hosts that are given by address."""

import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import trustme

from tests.support.nginx import FOLDER, by_address, nginx
from tests.support.servers import Server

# As in compose.yaml: callers come through the proxy, and some need no key.
BEHIND = {"SERVICE_MODEL": "hosted", "ANONYMOUS_SCOPES": "predict", "TRUSTED_PROXIES": "127.0.0.1"}


def address(server: Server) -> str:
    return server.url.partition("//")[2]


def who(client: httpx.Client) -> tuple[str, str]:
    """The id that the host which answers says that it has, and the hosts that were tried."""
    answer = client.post("/hosted/host", json={"data": 1})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"], answer.headers["X-Atoll-Host"]


@pytest.fixture
def two(start_server: Callable[..., Server]) -> list[Server]:
    return [start_server(env=BEHIND), start_server(env=BEHIND)]


def test_hosts_take_turns_each_with_its_own_id_and_a_dead_one_is_left_out(two: list[Server]) -> None:
    with nginx("dev", [address(server) for server in two]) as proxy, proxy.client() as client:
        proxy.wait(client)
        answers = Counter(who(client) for _ in range(20))

        assert len({id_ for id_, _ in answers}) == 2
        assert {tried for _, tried in answers} == {address(server) for server in two}
        assert min(answers.values()) >= 5

        two[1].kill()
        after = [who(client) for _ in range(20)]

        ids = {tried: id_ for id_, tried in answers}
        assert {id_ for id_, _ in after} == {ids[address(two[0])]}
        # Whom it had not heard of yet was tried, and then no more: no caller noticed.
        assert Counter(tried for _, tried in after)[address(two[0])] >= 15


def test_a_host_that_has_come_back_is_asked_again(start_server: Callable[..., Server]) -> None:
    first = start_server(env=BEHIND)
    with nginx("dev", [address(first)]) as proxy, proxy.client() as client:
        proxy.wait(client)
        first.kill()
        assert client.get("/health/live").status_code == 502

        start_server(env={**BEHIND, "PORT": address(first).rpartition(":")[2]})

        assert client.get("/health/live").status_code == 200


def test_what_is_too_large_is_refused_by_atoll_in_its_own_words(start_server: Callable[..., Server]) -> None:
    host = start_server(env={**BEHIND, "MAX_BODY_BYTES": "1024"})
    with nginx("dev", [address(host)]) as proxy, proxy.client() as client:
        proxy.wait(client)
        answer = client.post("/hosted/models/none/predict", json={"values": [1.5] * 100_000})

        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        pass


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that answers the headers it got."""
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_client_cannot_say_where_it_comes_from(echo: str) -> None:
    with nginx("dev", [echo]) as proxy, proxy.client() as client:
        proxy.wait(client)
        got = client.get("/", headers={"X-Forwarded-For": "10.9.8.7", "Host": "atoll.example.org"}).json()

        assert got["X-Forwarded-For"] == "127.0.0.1"
        assert got["Host"] == "atoll.example.org"


def test_prod_serves_https_and_sends_http_there(echo: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate = (tmp_path / "tls.crt", tmp_path / "tls.key")
    issued.cert_chain_pems[0].write_to_path(certificate[0])
    issued.private_key_pem.write_to_path(certificate[1])
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)

    with nginx("prod", [echo], certificate) as proxy, proxy.client("https", verify=trusted) as client:
        proxy.wait(client)
        answer = client.get("/")
        plain = proxy.client().get("/docs?x=1")

        assert answer.json()["X-Forwarded-Proto"] == "https"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["X-Atoll-Host"] == echo
        assert plain.status_code == 308
        assert plain.headers["Location"] == f"https://127.0.0.1:{proxy.port}/docs?x=1"


@pytest.mark.parametrize("site", ["dev", "prod"])
def test_a_name_is_asked_again_and_one_failure_leaves_a_host_out(site: str) -> None:
    """Only read: Docker's name server, and an nginx that knows `resolve`, are not here."""
    text = (FOLDER / site / "upstream.conf").read_text(encoding="utf-8")

    assert "resolver 127.0.0.11 valid=" in text
    assert "zone hosts" in text
    assert "server h:1 max_fails=1 fail_timeout=10s;" in by_address(text, ["h:1"])
