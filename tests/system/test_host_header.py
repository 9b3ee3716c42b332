"""Tricks with the request's target and with the names that headers give the server, over a real socket."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server

_PATIENCE_S = 20
OPEN = {"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "predict"}
EVIL = b"evil.example"
# Paths that might lead past the files of /docs, and targets that are no plain path.
TARGETS = [
    b"//evil.example/docs",
    b"//docs",
    b"///etc/passwd",
    b"/docs/../models",
    b"/docs/../../../../etc/passwd",
    b"/docs/%2e%2e/models",
    b"/docs/%2e%2e%2f%2e%2e%2fcore.py",
    b"/docs/..%252fcore.py",
    b"/docs/..;/models",
    b"/docs/%00",
    b"/docs/swagger-ui.css%00.png",
    b"/docs\\..\\models",
    b"/docs/%5c..%5cmodels",
    b"/docs/%c0%ae%c0%ae/models",
    b"/" + b"a" * 20_000,
    b"/" + b"a" * 200_000,
    b"/" + b"../" * 3000,
    b"/%",
    b"/%zz",
    b"/\xff",
    b"/a b",
    b"/MODELS",
    b"*",
    b"docs",
    b"http://",
    b"http://[::1",
    b"evil.example:443",
    b"file:///etc/passwd",
]
HOSTS = [
    b"Host: a\r\nHost: b\r\n",
    b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
    b"Host: user:password@evil.example\r\n",
    b"Host: evil.example/x\r\n",
    b"Host: evil.example?x\r\n",
    b"Host: evil.example#x\r\n",
    b"Host: evil.example:port\r\n",
    b"Host: evil.example:99999999\r\n",
    b"Host: evil example\r\n",
    b"Host: a,b\r\n",
    b"Host: \xff\r\n",
    b"Host: " + b"a" * 5000 + b"\r\n",
    b"Host:\r\n",
    b"Host : a\r\n",
    b" Host: a\r\n",
    b"",
]
FORWARDED = (
    b"X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\n"
    b"X-Forwarded-Port: 99\r\nX-Original-URL: /models\r\nX-Rewrite-URL: /models\r\nX-Original-Host: evil.example\r\n"
    b"X-HTTP-Method-Override: DELETE\r\nForwarded: host=evil.example;proto=https\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Open to callers without a key, whatever name they use, so that the answers are those of the routes."""
    found = Server(tmp_path_factory.mktemp("hosts"), env=OPEN)
    yield found
    found.stop()


def ask(server: Server, target: bytes, headers: bytes = b"Host: 127.0.0.1\r\n", method: bytes = b"GET") -> bytes:
    """Everything that comes back before the server closes the connection."""
    return raw(server, method + b" " + target + b" HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n")


def raw(server: Server, request: bytes) -> bytes:
    url = httpx.URL(server.url)
    answer = b""
    with socket.create_connection((url.host, url.port or 80), timeout=_PATIENCE_S) as connection:
        try:
            connection.sendall(request)
            while chunk := connection.recv(65_536):
                answer += chunk
        except ConnectionError:
            # It had answered, and did not read the rest.
            pass
    return answer


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert found, answer[:200]
    return int(found[1])


def header(answer: bytes, name: bytes) -> bytes | None:
    found = re.search(rb"^" + name + rb": *([^\r]*)\r$", answer.partition(b"\r\n\r\n")[0] + b"\r", re.I | re.M)
    return found[1] if found else None


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: repr(target[:40]))
def test_a_target_that_is_no_route_is_refused_and_leads_nowhere(server: Server, target: bytes) -> None:
    answer = ask(server, target)
    assert status_of(answer) in (400, 404, 405, 414, 431)
    assert header(answer, b"Location") is None
    assert header(answer, b"Content-Type") == b"application/problem+json"
    assert b"root:" not in answer
    assert b"import " not in answer


@pytest.mark.parametrize("path", [b"/", b"/docs", b"/models"])
def test_the_host_of_an_absolute_target_changes_nothing(server: Server, path: bytes) -> None:
    plain, absolute = (ask(server, target) for target in (path, b"http://user:secret@evil.example:99" + path))
    assert status_of(plain) == status_of(absolute) == 200
    assert plain.partition(b"\r\n\r\n")[2] == absolute.partition(b"\r\n\r\n")[2]
    assert EVIL not in absolute


@pytest.mark.parametrize("headers", HOSTS, ids=lambda headers: repr(headers[:40]))
def test_a_host_that_cannot_be_read_in_one_way_is_refused(server: Server, headers: bytes) -> None:
    answer = ask(server, b"/health/live", headers)
    assert status_of(answer) == 400
    assert b"evil" not in answer


@pytest.mark.parametrize("host", [b"localhost", b"127.0.0.1:80", b"[::1]:7071", b"atoll.example", b"ATOLL.example."])
def test_a_plain_host_is_taken(server: Server, host: bytes) -> None:
    assert status_of(ask(server, b"/health/live", b"Host: " + host + b"\r\n")) == 200


@pytest.mark.parametrize("path", [b"/models/", b"/docs/", b"/models//"])
def test_a_redirect_names_a_path_and_never_the_host_that_was_given(server: Server, path: bytes) -> None:
    answer = ask(server, path, b"Host: evil.example\r\n" + FORWARDED)
    assert status_of(answer) == 307
    location = header(answer, b"Location") or b""
    assert re.fullmatch(rb"/(models|docs)", location)
    assert EVIL not in answer


def test_no_forwarded_name_path_or_method_counts(server: Server) -> None:
    for path in (b"/", b"/docs", b"/openapi.json", b"/health/live"):
        plain, forwarded = ask(server, path), ask(server, path, b"Host: 127.0.0.1\r\n" + FORWARDED)
        assert status_of(forwarded) == 200
        assert plain.partition(b"\r\n\r\n")[2] == forwarded.partition(b"\r\n\r\n")[2]
        assert EVIL not in forwarded
    assert header(ask(server, b"/", b"Host: a\r\n" + FORWARDED), b"Strict-Transport-Security") is None


def test_where_hosts_are_named_another_is_answered_421_but_to_probes(start_server: Callable[..., Server]) -> None:
    server = start_server(env={**OPEN, "ALLOWED_HOSTS": "atoll.example, *.inner.example, 127.0.0.1"})
    for host, status in [
        (b"atoll.example", 200),
        (b"ATOLL.EXAMPLE:7071", 200),
        (b"a.b.inner.example", 200),
        (b"127.0.0.1", 200),
        (b"evil.example", 421),
        (b"inner.example", 421),
        (b"evilatoll.example", 421),
        (b"atoll.example.evil.example", 421),
        (b"[::1]", 421),
    ]:
        answer = ask(server, b"/models", b"Host: " + host + b"\r\n")
        assert status_of(answer) == status, (host, answer[:300])
    assert status_of(ask(server, b"/health/live", b"Host: 10.1.2.3:7071\r\n")) == 200
    assert status_of(ask(server, b"/models", b"Host: evil.example\r\nHost: atoll.example\r\n")) == 400


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BODY = b'{"requiredField": "x"}'
CHUNKS = b"16\r\n" + BODY + b"\r\n0\r\n\r\n"
FRAMINGS = {
    "two lengths": (b"Content-Length: 22\r\nContent-Length: 5\r\n", BODY),
    "the same length twice": (b"Content-Length: 22\r\nContent-Length: 22\r\n", BODY),
    "a list of lengths": (b"Content-Length: 22, 22\r\n", BODY),
    "length and chunks": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "chunks and length": (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", CHUNKS),
    "two codings": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKS),
    "an unknown coding": (b"Transfer-Encoding: xchunked\r\n", CHUNKS),
    "a space before the colon": (b"Transfer-Encoding : chunked\r\n", CHUNKS),
    "a lone carriage return": (b"Transfer-Encoding: chunked\rX: y\r\n", CHUNKS),
    "a folded line": (b"X: a\r\n Transfer-Encoding: chunked\r\n", CHUNKS),
    "a plus": (b"Content-Length: +22\r\n", BODY),
    "a negative length": (b"Content-Length: -1\r\n", BODY),
    "a length in hex": (b"Content-Length: 0x16\r\n", BODY),
    "a length beyond all numbers": (b"Content-Length: 99999999999999999999999\r\n", BODY),
    "a chunk of no size": (b"Transfer-Encoding: chunked\r\n", b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk beyond all numbers": (b"Transfer-Encoding: chunked\r\n", b"f" * 17 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunks without carriage returns": (b"Transfer-Encoding: chunked\r\n", b"16\n" + BODY + b"\n0\n\n"),
    "a NUL": (b"X: a\x00b\r\nContent-Length: 22\r\n", BODY),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_whose_end_could_be_read_in_two_ways_is_refused_and_ends_the_connection(
    server: Server, framing: str
) -> None:
    headers, body = FRAMINGS[framing]
    start = b"POST /sample_model/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    answer = raw(server, start + headers + b"\r\n" + body + SMUGGLED)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"400"]
    assert "/smuggled" not in server.log


def test_after_all_that_the_server_serves_on_and_nothing_was_its_own_fault(server: Server) -> None:
    assert server.post("/sample_model/predict", json={"requiredField": "x"}).status_code == 200
    assert "Traceback" not in server.log
    assert '"status": 5' not in server.log
    assert Path(server.log_file).stat().st_size < 1_000_000
