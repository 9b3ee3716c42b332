"""Signing in at an issuer, by a stand-in for its pages: the way there and back, and whatever can go wrong on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from common.app import create_app
from common.security.tokens.code_flow import Flow, scope_of
from common.security.tokens.issuers import Issuer as Settled
from common.settings import OidcSettings, PluginSettings, SecuritySettings, Settings, StorageSettings
from tests.support.authorization import CLIENT_ID, AuthorizationServer
from tests.support.clients import Client
from tests.support.issuer import AUDIENCE, Issuer

BEGIN = "/console/sign-in/oidc"
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def pages(issuer: Issuer) -> Iterator[AuthorizationServer]:
    made = AuthorizationServer(issuer.token)
    issuer.described.update(made.described)
    yield made
    made.close()


@pytest.fixture
def client(issuer: Issuer, pages: AuthorizationServer, tmp_path: Path) -> Client:
    return client_of(issuer, tmp_path)


def client_of(issuer: Issuer, state: Path, **more: Any) -> Client:
    settings = OidcSettings(**{"issuer": issuer.url, "audience": (AUDIENCE,), "client_id": CLIENT_ID, **more})
    return Client(
        create_app(
            Settings(
                plugins=PluginSettings(service_model=("sample",)),
                storage=StorageSettings(state_dir=state),
                security=SecuritySettings(anonymous_scopes=frozenset()),
                oidc=settings,
            )
        )
    )


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """The `Cookie` header of a browser that got this answer."""
    values = [value.partition(";")[0] for value in answer.headers.get_list("set-cookie") if "Max-Age=0" not in value]
    return {"Cookie": "; ".join(values)}


def there_and_back(client: Client, path: str = BEGIN) -> tuple[str, dict[str, str]]:
    """Where the issuer sends the browser back to, and the cookies that it has then."""
    begun = client.get(path)
    assert begun.status_code == 303
    back = httpx.get(begun.headers["location"], trust_env=False).headers["location"]
    return back.removeprefix("http://localhost"), cookies_of(begun)


def test_who_has_a_role_is_signed_in_and_led_where_they_wanted(client: Client) -> None:
    back, cookies = there_and_back(client, f"{BEGIN}?next=/console/jobs%3Fstate=dead")
    answer = client.get(back, headers=cookies)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/jobs?state=dead")
    caller = client.get("/keys/self", headers=OWN | cookies_of(answer)).json()
    assert (caller["kind"], caller["scopes"]) == ("token", ["predict"])
    assert "SameSite=Strict" in next(value for value in answer.headers.get_list("set-cookie") if "=1." in value)


def test_the_issuer_is_asked_for_a_code_with_a_challenge(client: Client, pages: AuthorizationServer) -> None:
    there_and_back(client)
    (asked,) = pages.asked
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == "http://localhost/console/sign-in/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")


def test_behind_a_proxy_with_tls_the_browser_is_sent_back_over_https(client: Client) -> None:
    begun = client.get(BEGIN, headers={"X-Forwarded-Proto": "https"})
    asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    assert asked["redirect_uri"].startswith("https://localhost/")
    assert begun.headers["set-cookie"].startswith("__Host-atoll-sign-in=")
    assert "Secure" in begun.headers["set-cookie"]


def test_a_secret_is_sent_where_the_issuer_wants_one(
    issuer: Issuer, pages: AuthorizationServer, tmp_path: Path
) -> None:
    pages.client_secret = "known-to-both"  # noqa: S105 - of a stand-in
    client = client_of(issuer, tmp_path, client_secret=SecretStr("known-to-both"))
    back, cookies = there_and_back(client)
    assert client.get(back, headers=cookies).headers["location"] == "/console"


def problem(answer: httpx.Response) -> str:
    assert answer.status_code == 303
    assert "=1." not in answer.headers.get("set-cookie", "")
    location = urlsplit(answer.headers["location"])
    assert location.path == "/console/sign-in"
    return dict(parse_qsl(location.query))["problem"]


def test_whoever_did_not_begin_here_is_not_signed_in(client: Client) -> None:
    back, _ = there_and_back(client)
    assert problem(client.get(back)) == "state"


def test_a_code_of_another_sign_in_is_not_taken(client: Client) -> None:
    back, _ = there_and_back(client)
    _, cookies = there_and_back(client)
    assert problem(client.get(back, headers=cookies)) == "state"


def test_a_code_is_good_once(client: Client) -> None:
    back, cookies = there_and_back(client)
    client.get(back, headers=cookies)
    assert problem(client.get(back, headers=cookies)) == "exchange"


def test_whoever_says_no_at_the_issuer_is_told_so(client: Client, pages: AuthorizationServer) -> None:
    pages.answer = {"error": "access_denied"}
    back, cookies = there_and_back(client)
    assert problem(client.get(back, headers=cookies)) == "refused"


def test_a_token_for_another_api_signs_nobody_in(client: Client, issuer: Issuer, pages: AuthorizationServer) -> None:
    pages.token = lambda: issuer.token(aud="api://another")
    back, cookies = there_and_back(client)
    assert problem(client.get(back, headers=cookies)) == "token"


def test_whoever_has_no_role_here_is_told_so(client: Client, issuer: Issuer, pages: AuthorizationServer) -> None:
    pages.token = lambda: issuer.token(roles=["Somebody.Else"])
    back, cookies = there_and_back(client)
    assert problem(client.get(back, headers=cookies)) == "roles"


def test_an_issuer_that_is_away_is_told(issuer: Issuer, tmp_path: Path) -> None:
    issuer.status = 503
    assert problem(client_of(issuer, tmp_path).get(BEGIN)) == "away"


@pytest.mark.parametrize(
    "target", ["https://evil.example.org", "//evil.example.org", "/docs", "/console@evil.example.org"]
)
def test_nobody_is_led_out_of_the_console(target: str) -> None:
    assert Flow.begin("http://localhost/back", target).next == "/console"


@pytest.mark.parametrize("text", ["", "x", "e30", "bnVsbA", "WzFd", "é"])
def test_what_is_no_sign_in_under_way_is_none(text: str) -> None:
    assert Flow.read(text) is None


def test_a_sign_in_under_way_comes_back_from_its_cookie() -> None:
    flow = Flow.begin("http://localhost/back", "/console/jobs")
    assert Flow.read(flow.written) == flow


def test_without_an_application_there_is_no_such_way(issuer: Issuer, tmp_path: Path) -> None:
    client = client_of(issuer, tmp_path, client_id=None)
    assert client.get(BEGIN).status_code == 404
    assert "Sign in with" not in client.get("/console/sign-in").text


def test_of_entra_id_a_token_for_this_api_is_asked_for() -> None:
    tenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"
    settings = OidcSettings(issuer=tenant, audience=("api://atoll",))
    assert scope_of(settings, Settled.parse(tenant)) == "openid profile api://atoll/.default"
