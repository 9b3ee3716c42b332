"""Requests that no client sends, by real sockets: what two servers could read in two ways, what is endless, and what
never comes."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.support.servers import Server, wait_for

ALONE = {"SERVICE_MODEL": "sample", "ATOLL_ROLES": "http"}
BODY = b'{"requiredField": "x"}'
START = b"POST /sample_model/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
# Would be answered if it were taken for a request of its own.
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSING = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("attacked"), env=ALONE | {"REQUEST_READ_TIMEOUT_S": "1"})
    yield found
    found.stop()


class Connection:
    """A socket to a server."""

    def __init__(self, server: Server, source: str = "127.0.0.1") -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S, source_address=(source, 0))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def to_its_end(self) -> list[bytes]:
        """The answers until the server closes the connection; fails if it does not."""
        received = b""
        while data := self._socket.recv(65536):
            received += data
        return split(received)

    def one(self) -> bytes:
        """The next answer, which must have a length."""
        received = b""
        while not split(received) or not is_whole(split(received)[0]):
            data = self._socket.recv(65536)
            assert data, received
            received += data
        return received


def split(received: bytes) -> list[bytes]:
    """Answers one after the other; none has a status line in its body."""
    return [part for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", received) if part]


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return bool(end) and len(body) >= int(length.partition(b":")[2])


def answers_to(server: Server, data: bytes) -> list[bytes]:
    with Connection(server) as connection:
        connection.send(data)
        return connection.to_its_end()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


AMBIGUOUS = {
    "two lengths that differ": START + b"Content-Length: 22\r\nContent-Length: 5\r\n\r\n" + BODY,
    "two lengths that are equal": START + b"Content-Length: 22\r\nContent-Length: 22\r\n\r\n" + BODY,
    "a list of lengths": START + b"Content-Length: 22, 22\r\n\r\n" + BODY,
    "a length and chunks": START + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "a length with a sign": START + b"Content-Length: +22\r\n\r\n" + BODY,
    "a negative length": START + b"Content-Length: -1\r\n\r\n" + BODY,
    "a length in hex": START + b"Content-Length: 0x16\r\n\r\n" + BODY,
    "a length with a space in it": START + b"Content-Length: 2 2\r\n\r\n" + BODY,
    "a length beyond 64 bits": START + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
    "an empty length": START + b"Content-Length:\r\n\r\n" + BODY,
    "a space before the colon": START + b"Content-Length : 22\r\n\r\n" + BODY,
    "an unknown coding": START + b"Transfer-Encoding: xchunked\r\n\r\n" + BODY,
    "a coding after chunked": START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding before chunked": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked twice": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a control character in the coding": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n",
    "a line of a header that goes on": START + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a bare LF in the headers": START.replace(b"localhost\r\n", b"localhost\n") + b"Content-Length: 22\r\n\r\n" + BODY,
    "a bare LF after the request line": START.replace(b"1.1\r\n", b"1.1\n") + b"Content-Length: 22\r\n\r\n" + BODY,
    "a bare LF at the end of the headers": START + b"Content-Length: 22\r\n\n" + BODY,
    "a bare CR in a header": START + b"X-A: a\rb\r\nContent-Length: 22\r\n\r\n" + BODY,
    "a NUL in a header": START + b"X-A: a\0b\r\nContent-Length: 22\r\n\r\n" + BODY,
    "a header without a name": START + b": a\r\nContent-Length: 22\r\n\r\n" + BODY,
    "a header without a colon": START + b"X-A\r\nContent-Length: 22\r\n\r\n" + BODY,
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method that is none": b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT elsewhere:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a chunk's size in hex notation": CHUNKED + b"0x16\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's size with an underscore": CHUNKED + b"1_6\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's size with a sign": CHUNKED + b"-16\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's size after a space": CHUNKED + b" 16\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's size before a space": CHUNKED + b"16 \r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bits": CHUNKED + b"10000000000000016\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a bare LF after a chunk's size": CHUNKED + b"16\n" + BODY + b"\r\n0\r\n\r\n",
    "a bare LF in a chunk's extension": CHUNKED + b"16;a\n" + BODY + b"\r\n0\r\n\r\n",
    "a bare LF after a chunk": CHUNKED + b"16\r\n" + BODY + b"\n0\r\n\r\n",
    "nothing after a chunk": CHUNKED + b"16\r\n" + BODY + b"0\r\n\r\n",
    "two characters after a chunk": CHUNKED + b"16\r\n" + BODY + b"XX0\r\n\r\n",
    "a bare LF after the last chunk": CHUNKED + b"16\r\n" + BODY + b"\r\n0\n\n",
    "a length in the trailer": CHUNKED + b"16\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_servers_could_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    server: Server, request_: bytes
) -> None:
    (answer,) = answers_to(server, request_ + SMUGGLED)
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (status(answer), problem["status"]) == (400, 400)
    assert b"connection: close" in head.lower()
    assert b"content-type: application/problem+json" in head.lower()
    assert f"x-request-id: {problem['request_id']}".encode() in head


def test_a_well_formed_request_by_the_same_means_is_answered(server: Server) -> None:
    with Connection(server) as connection:
        for request in (START + b"Content-Length: 22\r\n\r\n" + BODY, CHUNKED + b"16\r\n" + BODY + b"\r\n0\r\n\r\n"):
            connection.send(request)
            assert status(connection.one()) == 200


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_a_protocol_that_nobody_speaks_here_is_not_switched_to(server: Server, protocol: str) -> None:
    asked = f"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    (answer,) = answers_to(server, asked.encode() + SMUGGLED)
    assert status(answer) == 200


def test_a_body_that_was_not_asked_for_yet_is_not_taken_for_a_request(server: Server) -> None:
    refused = START.replace(b"/sample_model/predict", b"/no/such/path") + b"Expect: 100-continue\r\n"
    (answer,) = answers_to(server, refused + b"Content-Length: 45\r\n\r\n")
    assert status(answer) == 404


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a" * 1_000_000 + b": b\r\n\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["one header", "many headers", "a name", "an address", "a host"],
)
def test_a_header_of_a_megabyte_is_answered_431(server: Server, request_: bytes) -> None:
    (answer,) = answers_to(server, request_)
    assert status(answer) == 431
    assert b"65536 bytes" in answer


def test_a_header_without_end_is_cut_off(server: Server) -> None:
    with Connection(server) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        with pytest.raises(ConnectionError):
            flood(connection, b"a" * 10_000)


def test_a_token_of_16_kilobytes_is_no_header_that_is_too_large(server: Server) -> None:
    key = b"a" * 16_000
    with Connection(server) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + key + b"\r\n\r\n")
        assert status(connection.one()) == 200


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "an empty line"])
def test_a_connection_that_says_nothing_is_closed(server: Server, sent: bytes) -> None:
    assert answers_to(server, sent) == []


def test_a_header_that_comes_a_byte_at_a_time_is_answered_408(server: Server) -> None:
    with Connection(server) as connection:
        sender = threading.Thread(target=trickle, args=(connection, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 1000))
        sender.start()
        (answer,) = connection.to_its_end()
        sender.join()
    assert status(answer) == 408
    assert b"the header did not come within 1 s" in answer


def test_so_is_one_after_a_request_that_was_answered(server: Server) -> None:
    with Connection(server) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(connection.one()) == 200
        sender = threading.Thread(target=trickle, args=(connection, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 1000))
        sender.start()
        (answer,) = connection.to_its_end()
        sender.join()
    assert status(answer) == 408


def test_a_body_that_does_not_come_is_answered_408(server: Server) -> None:
    (answer,) = answers_to(server, START + b"Content-Length: 22\r\n\r\n" + BODY[:5])
    assert status(answer) == 408
    assert b"the body did not come within 1 s" in answer


def test_a_body_that_comes_a_byte_at_a_time_is_answered_408(server: Server) -> None:
    with Connection(server) as connection:
        sender = threading.Thread(
            target=trickle, args=(connection, START + b"Content-Length: 10000\r\n\r\n" + b" " * 1000)
        )
        sender.start()
        (answer,) = connection.to_its_end()
        sender.join()
    assert status(answer) == 408


def test_a_file_that_stops_coming_is_answered_408_and_leaves_nothing(server: Server) -> None:
    start = (
        b"PUT /datasets/slow/a.csv HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\n"
    )
    (answer,) = answers_to(server, start + b"a,b\n")
    assert status(answer) == 408
    assert server.get("/datasets/slow/a.csv").status_code == 404


def test_a_body_of_a_refused_request_is_not_read_for_ever(server: Server) -> None:
    start = START.replace(b"/sample_model/predict", b"/no/such/path") + b"Transfer-Encoding: chunked\r\n\r\n"
    with Connection(server) as connection:
        connection.send(start)
        with pytest.raises(ConnectionError):
            flood(connection, b"1000\r\n" + b"a" * 4096 + b"\r\n")


def test_other_callers_are_answered_while_two_hundred_connections_are_held(server: Server) -> None:
    held = [Connection(server) for _ in range(200)]
    for connection in held:
        connection.send(b"GET / HTTP/1.1\r\nX-A: ")
    assert server.get("/health/live").status_code == 200
    for connection in held:
        with connection:
            assert [status(answer) for answer in connection.to_its_end()] == [408]


def test_requests_sent_ahead_are_answered_in_turn_but_not_without_end(server: Server) -> None:
    asked = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Connection(server) as connection:
        connection.send(asked * 10 + CLOSING)
        assert [status(answer) for answer in connection.to_its_end()] == [200] * 11
    with Connection(server) as connection:
        connection.send(asked * 1000)
        assert len(connection.to_its_end()) < 1000


def test_whoever_does_not_read_the_answer_loses_the_connection(server: Server) -> None:
    server.client.put("/datasets/large/a.csv", content=b"x" * 9_000_000).raise_for_status()
    before = len(psutil.Process(server.process.pid).net_connections("tcp"))
    with Connection(server) as connection:
        connection.send(b"GET /datasets/large/a.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: len(psutil.Process(server.process.pid).net_connections("tcp")) > before, "the connection")
        wait_for(lambda: len(psutil.Process(server.process.pid).net_connections("tcp")) <= before, "its end")
        (answer,) = connection.to_its_end()
        assert len(answer) < 9_000_000


def test_one_address_cannot_have_all_connections(start_server: Callable[..., Server]) -> None:
    server = start_server(env=ALONE)
    # A quarter of the forty connections for which there are files.
    psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE, (128 + 40, 128 + 40))
    held = [Connection(server) for _ in range(30)]
    for connection in held:
        connection.send(b"GET / HTTP/1.1\r\nX-A: ")
    with held[-1] as last:
        (answer,) = last.to_its_end()
    assert status(answer) == 503
    with Connection(server, source="127.0.0.2") as other:
        other.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(other.one()) == 200
    for connection in held[:-1]:
        with connection:
            pass
    # What is closed makes room.
    wait_for(lambda: status(answers_to(server, CLOSING)[0]) == 200, "an answer")


def test_nothing_of_all_this_is_an_error_of_the_server(server: Server) -> None:
    for request in AMBIGUOUS.values():
        answers_to(server, request)
    assert "Traceback" not in server.log
    assert '"level": "error"' not in server.log


def flood(connection: Connection, data: bytes) -> None:
    """Send the same again and again, until the server has enough."""
    while True:
        connection.send(data)


def trickle(connection: Connection, data: bytes) -> None:
    """Send a byte at a time until the server has enough."""
    try:
        for byte in data:
            connection.send(bytes([byte]))
            time.sleep(0.02)
    except OSError:
        pass
