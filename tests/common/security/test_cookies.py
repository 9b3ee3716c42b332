"""The cookies of the console: what counts, and for whose requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.security import cookies
from common.security.cookies import Headers

KEY = "atl_3k9tq0m4zx7h_" + "A" * 43


def sent_back(values: list[str]) -> Headers:
    """As a browser that was given these cookies sends them."""
    return {b"cookie": [b"; ".join(value.partition(";")[0].encode() for value in values)]}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9000), st.booleans())
def test_a_credential_comes_back_as_it_was_kept(credential: str, secure: bool) -> None:
    assert cookies.credential_in(sent_back(cookies.setting(credential, secure=secure))) == credential


def test_a_long_token_is_kept_in_several_cookies_that_browsers_take() -> None:
    values = cookies.setting("t" * 9000, secure=True)
    assert len(values) == 3
    assert max(map(len, values)) < 4096


def test_a_token_of_which_a_part_is_missing_does_not_count() -> None:
    values = cookies.setting("t" * 9000, secure=True)
    assert cookies.credential_in(sent_back(values[:-1])) is None


def test_a_credential_that_no_browser_would_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        cookies.setting("t" * 20_000, secure=True)


def test_no_script_and_no_other_site_has_the_cookie() -> None:
    (value,) = cookies.setting(KEY, secure=True)
    assert value == f"__Host-atoll=1.{KEY}; Path=/; HttpOnly; SameSite=Strict; Secure"


def test_without_https_the_cookie_is_not_secure_but_kept() -> None:
    (value,) = cookies.setting(KEY, secure=False, max_age_s=60)
    assert value == f"atoll=1.{KEY}; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"


def test_a_cookie_of_https_goes_before_one_that_was_set_without() -> None:
    both = [*cookies.setting("plain", secure=False), *cookies.setting("safe", secure=True)]
    assert cookies.credential_in(sent_back(both)) == "safe"


@pytest.mark.parametrize("line", [b"", b"atoll", b"atoll=", b"atoll=x", b"atoll=99.x", b"atoll=-1.x", b"other=1.x"])
def test_other_cookies_are_no_credential(line: bytes) -> None:
    assert cookies.credential_in({b"cookie": [line]}) is None


OWN_PAGES: list[tuple[str, dict[bytes, bytes], bool]] = [
    # By what the browser says about whose page asks.
    ("POST", {b"sec-fetch-site": b"same-origin"}, True),
    ("POST", {b"sec-fetch-site": b"same-site"}, False),
    ("POST", {b"sec-fetch-site": b"cross-site"}, False),
    ("POST", {b"sec-fetch-site": b"none"}, False),
    ("GET", {b"sec-fetch-site": b"none"}, True),
    ("GET", {b"sec-fetch-site": b"cross-site"}, False),
    # It is not asked what another header says then.
    ("POST", {b"sec-fetch-site": b"cross-site", b"origin": b"http://here", b"host": b"here"}, False),
    # Browsers say nothing of it to plain http on other machines.
    ("POST", {b"origin": b"http://here:80", b"host": b"here:80"}, True),
    ("POST", {b"origin": b"http://there", b"host": b"here"}, False),
    ("POST", {b"origin": b"null", b"host": b"here"}, False),
    ("DELETE", {b"host": b"here"}, False),
    ("GET", {b"host": b"here"}, True),
    ("HEAD", {b"host": b"here"}, True),
]


@pytest.mark.parametrize(("method", "headers", "expected"), OWN_PAGES)
def test_whose_page_asks_is_told_by_headers_that_no_script_can_set(
    method: str, headers: dict[bytes, bytes], expected: bool
) -> None:
    assert cookies.is_own(method, {name: [value] for name, value in headers.items()}) is expected


def test_a_header_that_is_there_twice_proves_nothing() -> None:
    assert not cookies.is_own("POST", {b"sec-fetch-site": [b"same-origin", b"cross-site"]})


def test_a_proxy_before_the_server_does_not_hide_that_the_browser_speaks_https() -> None:
    assert cookies.is_https("http", {b"origin": [b"https://atoll.example.org"]})
    assert not cookies.is_https("http", {b"origin": [b"http://atoll.example.org"]})
