"""The load of `atoll bench`: how it counts."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from common.cli.load import Tally, Target, percentile, put

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def measured(answering: Answering, *, users: int = 2, seconds: float = 0.3, timeout_s: float = 5.0) -> Tally:
    """What comes of a load on a server that answers so."""
    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tally = Tally()
    async with server:
        target = Target.of(f"http://127.0.0.1:{port}", "POST", "/p", {"X-A": "1"}, b"{}", timeout_s)
        await put(target, tally, users, seconds, lambda _: None)
    return tally


def says(head: bytes, body: bytes = b"", *, often: int = 10**9) -> Answering:
    """A server that answers each request so, and closes after `often`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(often):
            try:
                await reader.readuntil(b"{}")
            except asyncio.IncompleteReadError:
                break
            writer.write(head + b"\r\n\r\n" + body)
        writer.close()

    return answer


def test_answers_are_counted_with_their_latency_and_their_cache_hits() -> None:
    tally = asyncio.run(measured(says(b"HTTP/1.1 200 OK\r\nX-Cache: hit\r\nContent-Length: 2", b"hi")))
    assert tally.requests == len(tally.latencies_s) == tally.cache_hits > 2
    assert tally.report()["errors"] == {}
    assert set(tally.report()["latency_ms"]) == {"mean", "p50", "p95", "p99", "max"}


def test_answers_in_chunks_are_read_to_their_end() -> None:
    chunks = b"2\r\nhi\r\n0\r\n\r\n"
    tally = asyncio.run(measured(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", chunks)))
    assert tally.errors == 0
    assert tally.requests > 2


def test_refusals_are_errors_by_their_status_and_have_no_latency() -> None:
    tally = asyncio.run(measured(says(b"HTTP/1.1 503 Busy\r\nContent-Length: 0")))
    assert tally.report()["errors"] == {"503": tally.requests}
    assert tally.report()["latency_ms"] is None


def test_a_connection_that_breaks_off_is_an_error_and_another_is_made() -> None:
    tally = asyncio.run(measured(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0", often=1), users=1, seconds=1.0))
    assert tally.failures["broken"] >= 1
    assert len(tally.latencies_s) >= 2


def test_a_connection_that_the_server_ends_as_it_said_is_no_error() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0"
    tally = asyncio.run(measured(says(head, often=1)))
    assert tally.errors == 0
    assert tally.requests > 2


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    tally = asyncio.run(measured(silent, users=1, seconds=0.2, timeout_s=0.1))
    assert tally.report()["errors"].keys() == {"timeout"}


def test_what_is_no_http_is_broken() -> None:
    tally = asyncio.run(measured(says(b"SSH-2.0-OpenSSH")))
    assert tally.report()["errors"].keys() == {"broken"}


def test_nobody_there_is_refused() -> None:
    tally = Tally()
    asyncio.run(put(Target.of("http://127.0.0.1:1", "GET", "/", {}, None, 1.0), tally, 1, 0.1, lambda _: None))
    assert tally.report()["errors"].keys() == {"refused"}


def test_the_request_is_what_a_server_wants() -> None:
    target = Target.of("https://[::1]:8443/base", "POST", "/p?a=ä", {"Authorization": "Bearer k"}, b"{}", 1.0)
    lines = target.request.decode().split("\r\n")
    assert lines[0] == "POST /base/p?a=%C3%A4 HTTP/1.1"
    assert {"Host: [::1]:8443", "Authorization: Bearer k", "Content-Length: 2"} <= set(lines)
    assert (target.host, target.port, target.tls is not None) == ("::1", 8443, True)


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be asked"):
        Target.of("http://127.0.0.1:1", "GET", "/a\r\nX: y", {}, None, 1.0)


@pytest.mark.parametrize(("part", "found"), [(50, 5.0), (95, 10.0), (99, 10.0), (10, 1.0), (1, 1.0)])
def test_a_percentile_is_the_nearest_rank(part: float, found: float) -> None:
    assert percentile([float(number) for number in range(1, 11)], part) == found


def test_rates_and_latencies_are_those_of_answers_without_an_error() -> None:
    tally = Tally(array("d", [0.001, 0.002]), Counter({200: 2, 429: 3}), Counter({"timeout": 1}), elapsed_s=2.0)
    told = tally.report()
    assert (told["requests"], told["rate_per_s"], told["errors"]) == (6, 1.0, {"429": 3, "timeout": 1})
    assert told["latency_ms"]["max"] == 2.0
