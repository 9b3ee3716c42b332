"""Who is let in without a key."""

from dataclasses import replace

import pytest

from common.security.anonymous import AnonymousRule, Caller, is_loopback, remembering
from common.security.scopes import ALL_SCOPES, Scope
from common.settings import HttpSettings, SecuritySettings, Settings

PAGE = "https://dashboard.example"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing binds to it here
HERE = Caller(server="127.0.0.1", host="localhost:7071")


def rule(
    host: str = "127.0.0.1", scopes: frozenset[Scope] | None = None, functions: str | None = None
) -> AnonymousRule:
    security = SecuritySettings(anonymous_scopes=scopes, functions_runtime=functions)
    return AnonymousRule.of(Settings(http=HttpSettings(host=host, cors_origins=PAGE), security=security))


def scopes(rule: AnonymousRule, caller: Caller) -> frozenset[Scope]:
    return rule.admit(caller).principal.scopes


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]", "LOCALHOST.", "a.localhost"])
def test_on_a_loopback_address_everybody_may_everything(host: str) -> None:
    assert scopes(rule(host), HERE) == ALL_SCOPES


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "10.0.0.4", "atoll.example", "localhost.example", "127.0.0.1.nip.io"]
)
def test_on_any_other_address_nobody_may_anything(host: str) -> None:
    assert not is_loopback(host)
    assert scopes(rule(host), HERE) == frozenset()


def test_under_the_functions_host_nobody_may_anything_though_it_says_loopback() -> None:
    assert scopes(rule(functions="python"), HERE) == frozenset()


def test_the_setting_opens_what_is_closed_and_closes_what_is_open() -> None:
    public = frozenset({Scope.PREDICT})
    assert scopes(rule(EVERYWHERE, public), Caller("10.0.0.4", "atoll.example")) == public
    assert scopes(rule(functions="python", scopes=public), Caller(host="atoll.example")) == public
    assert scopes(rule(scopes=frozenset()), HERE) == frozenset()


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:7071", "127.0.0.1:1", "[::1]:7071", "[::ffff:127.0.0.1]:80", "my.localhost:80", None],
)
def test_a_request_for_a_name_of_this_machine_alone_is_let_in(host: str | None) -> None:
    assert scopes(rule(), replace(HERE, host=host)) == ALL_SCOPES


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example:7071",
        "127.0.0.1.rebound.example",
        "localhost.rebound.example:7071",
        "localhost,rebound.example",
        "192.168.0.7:7071",
        "[::2]:7071",
        "2130706433",
        "",
        "@localhost",
        "x" * 10_000,
    ],
)
def test_a_name_that_was_made_to_lead_here_opens_nothing(host: str) -> None:
    admission = rule().admit(replace(HERE, host=host))
    assert admission.principal.scopes == frozenset()
    assert "name of this machine" in admission.reason
    assert len(admission.reason) < 300


@pytest.mark.parametrize("server", ["192.168.0.7", "/run/atoll.sock", None])
def test_a_request_that_came_to_another_address_is_a_strangers(server: str | None) -> None:
    assert scopes(rule(), replace(HERE, server=server)) == frozenset()


def test_a_request_that_a_proxy_passes_on_is_a_strangers() -> None:
    assert scopes(rule(), replace(HERE, is_forwarded=True)) == frozenset()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://localhost:8081", "http://localhost"])
def test_a_page_of_another_site_may_nothing_on_an_open_loopback(origin: str) -> None:
    admission = rule().admit(replace(HERE, origin=origin))
    assert admission.principal.scopes == frozenset()
    assert "CORS_ORIGINS" in admission.reason


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_servers_own_page_may_what_its_user_may(scheme: str) -> None:
    assert scopes(rule(), replace(HERE, origin=f"{scheme}://localhost:7071")) == ALL_SCOPES


def test_a_page_that_cors_allows_may_all_but_administer() -> None:
    assert scopes(rule(), replace(HERE, origin=PAGE)) == ALL_SCOPES - {Scope.ADMIN}


def test_where_the_setting_gives_more_a_strange_page_may_still_only_predict() -> None:
    opened = rule(EVERYWHERE, frozenset({Scope.PREDICT, Scope.TRAIN}))
    far = Caller(host="atoll.example", origin="https://evil.example")
    assert scopes(opened, far) == {Scope.PREDICT}
    assert scopes(opened, replace(far, origin=PAGE)) == {Scope.PREDICT, Scope.TRAIN}
    assert scopes(opened, replace(far, origin=None)) == {Scope.PREDICT, Scope.TRAIN}


def test_a_rebound_name_does_not_make_a_page_the_servers_own() -> None:
    opened = rule(EVERYWHERE, ALL_SCOPES)
    assert scopes(opened, Caller(host="evil.example:80", origin="http://evil.example:80")) == {Scope.PREDICT}
    assert scopes(opened, Caller(host="10.0.0.4:7071", origin="http://10.0.0.4:7071")) == ALL_SCOPES


def test_a_person_who_starts_a_server_is_told_who_may_call() -> None:
    assert rule().told == "from this machine without a key"
    assert rule(EVERYWHERE).told == "with a key"
    assert (
        rule(EVERYWHERE, frozenset({Scope.TRAIN, Scope.PREDICT})).told
        == "without a key for predict, train, else with one"
    )


def test_what_is_remembered_is_what_would_be_decided() -> None:
    admit = remembering(rule())
    for _ in range(2):
        assert admit(HERE).principal.scopes == ALL_SCOPES
        assert admit(replace(HERE, host="rebound.example")).principal.scopes == frozenset()
        assert admit(replace(HERE, host="x" * 10_000)).principal.scopes == frozenset()
