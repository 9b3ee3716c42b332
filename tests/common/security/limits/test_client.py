from ipaddress import ip_network
from typing import Any

import pytest

from common.security.limits.client import UNKNOWN, client_of, named

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def request(peer: str | None, *forwarded: str, **others: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in others.items()]
    return {"type": "http", "client": None if peer is None else (peer, 1234), "headers": headers}


def test_the_client_is_who_connects() -> None:
    assert client_of(request("203.0.113.7")) == "203.0.113.7"


def test_a_stranger_cannot_say_where_he_is_from() -> None:
    assert client_of(request("203.0.113.7", "192.0.2.1"), PROXIES) == "203.0.113.7"
    assert client_of(request("203.0.113.7", "192.0.2.1")) == "203.0.113.7"


def test_a_trusted_proxy_says_who_called_it() -> None:
    assert client_of(request("10.0.0.1", "203.0.113.7"), PROXIES) == "203.0.113.7"


def test_what_a_client_wrote_before_the_proxy_is_not_believed() -> None:
    assert client_of(request("10.0.0.1", "192.0.2.1, 203.0.113.7"), PROXIES) == "203.0.113.7"


def test_a_chain_of_trusted_proxies_is_followed_to_the_first_stranger() -> None:
    assert client_of(request("10.0.0.1", "192.0.2.1, 203.0.113.7, 10.0.0.3, 10.0.0.2"), PROXIES) == "203.0.113.7"


def test_several_headers_are_one_list() -> None:
    assert client_of(request("10.0.0.1", "192.0.2.1", "203.0.113.7, 10.0.0.2"), PROXIES) == "203.0.113.7"


def test_a_proxy_that_calls_by_itself_is_the_client() -> None:
    assert client_of(request("10.0.0.1"), PROXIES) == "10.0.0.1"
    assert client_of(request("10.0.0.1", "10.0.0.9"), PROXIES) == "10.0.0.9"


@pytest.mark.parametrize("entry", ["unknown", "_hidden", "", " ", "not an address", "1.2.3", "1.2.3.4.5", "ÿ" * 99])
def test_an_entry_that_is_no_address_ends_the_list(entry: str) -> None:
    assert client_of(request("10.0.0.1", f"192.0.2.1, {entry}, 10.0.0.2"), PROXIES) == "10.0.0.2"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("203.0.113.7:52311", "203.0.113.7"),
        ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_addresses_come_with_ports_brackets_and_zones(entry: str, told: str) -> None:
    assert client_of(request("10.0.0.1", entry), PROXIES) == told


def test_all_addresses_of_one_ipv6_network_are_one_client() -> None:
    assert len({named(f"2001:db8::{number:x}") for number in range(100)}) == 1


def test_headers_that_a_proxy_may_pass_on_as_it_got_them_are_not_read() -> None:
    scope = request("10.0.0.1", "203.0.113.7", forwarded="for=192.0.2.1", x_azure_clientip="192.0.2.2")
    assert client_of(scope, PROXIES) == "203.0.113.7"


def test_under_the_platform_the_last_entry_is_who_connects() -> None:
    assert client_of(request(None, "192.0.2.1, 203.0.113.7:52311"), on_platform=True) == "203.0.113.7"


def test_under_the_platform_a_trusted_front_door_says_who_called_it() -> None:
    scope = request(None, "192.0.2.1, 203.0.113.7, 10.1.2.3:49828")
    assert client_of(scope, PROXIES, on_platform=True) == "203.0.113.7"


def test_without_a_connection_and_a_platform_nothing_is_believed() -> None:
    assert client_of(request(None, "192.0.2.1"), PROXIES) == UNKNOWN
    assert client_of(request(None), on_platform=True) == UNKNOWN


def test_a_list_of_a_million_entries_is_read_no_further_than_its_end() -> None:
    assert (
        client_of(request("10.0.0.1", "192.0.2.1," * 1_000_000 + "10.0.0.2," * 19 + "10.0.0.2"), PROXIES) == "10.0.0.2"
    )
