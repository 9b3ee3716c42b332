"""What may be called on somebody's behalf, judged without a network."""

from ipaddress import ip_address

import pytest

from common.http.addresses import Allowance, Refused, is_public, literal

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - only judged
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "20.50.2.1", "::ffff:1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::"]
WRONG_URLS = [
    "",
    "x",
    "/hook",
    "//a.test/hook",
    "ftp://a.test/hook",
    "file:///etc/passwd",
    "https:///hook",
    "https://",
    "https://a.test:0/",
    "https://a.test:99999/",
    "https://a.test:x/",
    "https://[::1",
    "https://[fe80::1%25eth0]/",
    "https://a b.test/",
    "https://a.test/a b",
    "https://a.test/\nx",
    "https://a.test\\@127.0.0.1/",
    "https://täst.example/",
    "https://a..test/",
    "https://" + "a" * 64 + ".test/",
    "https://*.test/",
    "https://a.test/" + "x" * 2000,
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://user@127.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://169.254.169.254/metadata",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "http://a.test/hook",
    "http://1.1.1.1/hook",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("url", WRONG_URLS)
def test_what_could_never_be_called_is_refused_before_any_look_up(url: str) -> None:
    with pytest.raises(Refused):
        Allowance().check_url(url)


@pytest.mark.parametrize(
    "url", ["https://a.test", "https://user:pw@a.test:8443/x?y=1#z", "https://1.1.1.1/", "https://[2606:4700::1111]:1/"]
)
def test_a_public_https_address_may_be_called(url: str) -> None:
    assert Allowance().check_url(url).hostname


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("hooks.internal", "http://hooks.internal:8080/x"),
        ("Hooks.Internal", "https://hooks.INTERNAL./x"),
        ("*.internal", "http://a.b.internal/"),
        ("10.1.0.0/16", "http://10.1.2.3/"),
        ("10.1.2.3", "https://10.1.2.3/"),
        ("10.1.0.0/16", "http://[::ffff:10.1.2.3]/"),
        ("fd00::/8", "http://[fd00::1]:99/"),
        ("[::1]", "http://[::1]/"),
        ("localhost", "http://localhost:9000/"),
        # Where the name leads is looked up when it is called.
        ("127.0.0.0/8", "http://localhost:9000/"),
        ("10.0.0.0/8", "http://name.test/"),
    ],
)
def test_what_the_operator_listed_may_be_called(entry: str, url: str) -> None:
    assert Allowance.parse([entry]).check_url(url).hostname


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("hooks.internal", "http://nothooks.internal/"),
        ("hooks.internal", "http://a.hooks.internal/"),
        ("*.internal", "http://internal/"),
        ("*.internal", "http://a.internal.test/"),
        ("10.1.0.0/16", "https://10.2.0.1/"),
        ("10.1.0.0/16", "http://1.1.1.1/"),
    ],
)
def test_nothing_but_what_the_operator_listed_may_be_called(entry: str, url: str) -> None:
    with pytest.raises(Refused):
        Allowance.parse([entry]).check_url(url)


@pytest.mark.parametrize("entry", ["https://a.test", "a b", "10.0.0.0/33", "10.1.2.3/8", "127.1", "*", "a.test/x", ""])
def test_an_entry_that_is_no_host_or_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is no host name, address or CIDR"):
        Allowance.parse([entry])


def test_a_refusal_repeats_nothing_of_the_address() -> None:
    with pytest.raises(Refused) as refused:
        Allowance().check_url("https://user:hunter2@127.0.0.1/?token=hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("host", ["a.test", "1.2.3.4.5", "0xg", "1.a", ""])
def test_a_name_is_no_literal_address(host: str) -> None:
    assert literal(host) is None
