"""Calls to addresses that callers gave, against real servers on loopback."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import pytest

from common.http.addresses import Address, Allowance, Refused
from common.http.outbound import Limits, Outbound, OutboundError
from tests.support.receiver import Received, Receiver, unused_port

LOOPBACK = Allowance.parse(["127.0.0.0/8"])
NAME = "hooks.example"
QUICK = Limits(connect_s=20, read_s=20, total_s=0.3)


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Starts receivers, and ends them after the test."""
    started: list[Receiver] = []

    def receive(**options: Any) -> Receiver:
        started.append(Receiver(**options))
        return started[-1]

    yield receive
    for receiver in started:
        receiver.close()


def leads_to(*addresses: str) -> Callable[[str, int], Sequence[Address]]:
    return lambda host, port: [ip_address(address) for address in addresses]


def test_an_answer_comes_with_status_headers_and_body(receive: Callable[..., Receiver]) -> None:
    receiver = receive(script=[201], headers={"X-Kind": "test"})
    answer = Outbound(LOOPBACK).call("POST", receiver.url, content=b"hello", headers={"X-Mine": "1"})
    assert (answer.status, answer.headers["x-kind"], answer.body, answer.is_complete) == (201, "test", b"", True)
    assert (receiver.received[0].body, receiver.received[0].headers["x-mine"]) == (b"hello", "1")


def test_a_name_that_leads_to_this_machine_is_not_called(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=(NAME,))
    outbound = Outbound(resolve=leads_to("127.0.0.1"), tls=receiver.trust)
    with pytest.raises(Refused, match="leads to a private address"):
        outbound.call("POST", receiver.url)
    assert receiver.received == []


def test_the_machines_own_resolver_is_checked_too(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    # Listed networks let the name through to the look-up, whose answer is not of them.
    with pytest.raises(Refused):
        Outbound(Allowance.parse(["10.0.0.0/8"])).call("POST", f"http://localhost:{receiver.port}/")
    assert receiver.received == []


@pytest.mark.parametrize("addresses", [("1.1.1.1", "127.0.0.1"), ("2606:4700::1111", "::ffff:10.0.0.1")])
def test_one_private_address_among_public_ones_makes_the_name_suspect(addresses: tuple[str, str]) -> None:
    with pytest.raises(Refused):
        Outbound(resolve=leads_to(*addresses)).call("POST", "https://hooks.example/")


def test_the_connection_goes_to_the_address_that_was_checked(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=(NAME,))
    looked_up: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[Address]:
        # As a hostile name server would: an allowed address to whoever checks, another one to whoever connects.
        looked_up.append(host)
        return [ip_address("127.0.0.1" if len(looked_up) == 1 else "10.0.0.1")]

    answer = Outbound(LOOPBACK, tls=receiver.trust, resolve=rebinding).call("POST", receiver.url)
    assert (answer.status, looked_up) == (204, [NAME])
    assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"


def test_every_call_looks_the_name_up_anew(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=(NAME,))
    answers = [[ip_address("127.0.0.1")], [ip_address("10.0.0.1")]]
    outbound = Outbound(LOOPBACK, tls=receiver.trust, resolve=lambda host, port: answers.pop(0))
    assert outbound.call("POST", receiver.url).status == 204
    with pytest.raises(Refused):
        outbound.call("POST", receiver.url)


def test_the_next_address_is_taken_where_one_does_not_answer(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=(NAME,))
    # Nothing listens on the second address of the loopback network.
    outbound = Outbound(LOOPBACK, tls=receiver.trust, resolve=leads_to("127.0.0.2", "127.0.0.1"))
    assert outbound.call("POST", receiver.url).status == 204


def test_a_certificate_for_another_name_is_not_accepted(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=("other.example",))
    outbound = Outbound(LOOPBACK, tls=receiver.trust, resolve=leads_to("127.0.0.1"))
    with pytest.raises(OutboundError, match=r"certificate is not valid for 'hooks\.example'"):
        outbound.call("POST", f"https://{NAME}:{receiver.port}/")
    assert receiver.received == []


def test_a_certificate_of_an_unknown_authority_is_not_accepted(receive: Callable[..., Receiver]) -> None:
    receiver = receive(names=(NAME,))
    with pytest.raises(OutboundError, match="certificate verify failed"):
        Outbound(LOOPBACK, resolve=leads_to("127.0.0.1")).call("POST", receiver.url)
    assert receiver.received == []


def test_plain_http_goes_nowhere_but_where_it_is_allowed(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    outbound = Outbound(Allowance.parse(["10.0.0.0/8"]), resolve=leads_to("1.1.1.1"))
    with pytest.raises(Refused, match="plain http"):
        outbound.call("POST", f"http://{NAME}:{receiver.port}/")


def test_a_listed_name_may_lead_to_a_private_address(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    outbound = Outbound(Allowance.parse([NAME]), resolve=leads_to("127.0.0.1"))
    assert outbound.call("POST", f"http://{NAME}:{receiver.port}/").status == 204


def test_a_redirect_is_an_answer_and_is_not_followed(receive: Callable[..., Receiver]) -> None:
    private = receive()
    receiver = receive(script=[307], headers={"Location": private.url})
    assert Outbound(LOOPBACK).call("POST", receiver.url).status == 307
    assert private.received == []


def test_proxies_of_the_environment_are_not_used(
    receive: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receive(), receive()
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert Outbound(LOOPBACK).call("POST", receiver.url).status == 204
    assert (len(receiver.received), proxy.received) == (1, [])


def test_a_large_answer_is_cut_short(receive: Callable[..., Receiver]) -> None:
    def pour(handler: BaseHTTPRequestHandler, request: Received) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            hung_up.set()

    hung_up = threading.Event()
    answer = Outbound(LOOPBACK, Limits(answer_bytes=1000)).call("POST", receive(answer=pour).url)
    assert (len(answer.body), answer.is_complete) == (1000, False)
    assert hung_up.wait(60)


def test_a_receiver_that_hangs_is_left(receive: Callable[..., Receiver]) -> None:
    released = threading.Event()
    receiver = receive(answer=lambda handler, request: released.wait(60))
    with pytest.raises(OutboundError, match=r"no answer within 0\.3 s"):
        Outbound(LOOPBACK, QUICK).call("POST", receiver.url)
    released.set()


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_receiver_that_trickles_is_left(receive: Callable[..., Receiver], part: str) -> None:
    def trickle(handler: BaseHTTPRequestHandler, request: Received) -> None:
        start = b"HTTP/1.1 200 OK\r\nX: " if part == "headers" else b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
        try:
            handler.wfile.write(start)
            # Each byte comes well before the limit of a single read.
            while not ended.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            ended.set()

    ended = threading.Event()
    with pytest.raises(OutboundError, match="no answer within"):
        Outbound(LOOPBACK, QUICK).call("POST", receive(answer=trickle).url)
    assert ended.wait(60)


def test_a_handshake_that_never_ends_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outbound = Outbound(LOOPBACK, QUICK, resolve=leads_to("127.0.0.1"))
        with pytest.raises(OutboundError, match="no answer within"):
            outbound.call("POST", f"https://{NAME}:{silent.getsockname()[1]}/")


def test_a_name_server_that_hangs_is_left() -> None:
    released = threading.Event()

    def hang(host: str, port: int) -> Sequence[Address]:
        released.wait(60)
        return []

    with pytest.raises(OutboundError, match="no answer within"):
        Outbound(limits=QUICK, resolve=hang).call("POST", "https://hooks.example/")
    released.set()


def test_what_cannot_be_reached_says_so() -> None:
    with pytest.raises(OutboundError, match="cannot connect"):
        Outbound(LOOPBACK).call("POST", f"http://127.0.0.1:{unused_port()}/")


def test_an_unknown_name_says_so() -> None:
    def unknown(host: str, port: int) -> Sequence[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(OutboundError, match="the name is not known"):
        Outbound(resolve=unknown).call("POST", "https://hooks.example/")


def test_an_answer_that_is_no_http_says_so(receive: Callable[..., Receiver]) -> None:
    receiver = receive(answer=lambda handler, request: handler.wfile.write(b"SSH-2.0-x\r\n"))
    with pytest.raises(OutboundError, match="no usable answer"):
        Outbound(LOOPBACK).call("POST", receiver.url)


def test_a_name_and_password_in_the_address_are_sent_and_never_logged(
    receive: Callable[..., Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receive()
    # As a host would that shows everything.
    caplog.set_level(logging.INFO)
    Outbound(LOOPBACK).call("POST", f"http://user:pw@127.0.0.1:{receiver.port}/?token=hunter2")
    assert receiver.received[0].headers["authorization"] == "Basic dXNlcjpwdw=="
    assert receiver.received[0].path == "/?token=hunter2"
    assert "hunter2" not in caplog.text


def test_the_client_it_is_built_on_keeps_the_same_rules(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    with Outbound(LOOPBACK).client() as client:
        assert client.post(receiver.url).status_code == 204
    with Outbound().client() as client, pytest.raises(Refused):
        client.post(receiver.url)
