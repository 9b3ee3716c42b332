"""Signing in with a key, on a server that asks everybody for one."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.authorization import CLIENT_ID, AuthorizationServer
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.servers import Server

Visit = Callable[..., Page]

ADMIN = "an-administrators-key-for-tests-only-0123456789"
# The browser itself tells of each answer that is an error.
REFUSED = "status of 401"


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("closed"),
        env={"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": ADMIN},
        ready=False,
    )
    yield server
    server.stop()


def new_key(server: Server, name: str, *scopes: str) -> str:
    answer = server.post("/keys", json={"name": name, "scopes": scopes}, headers={"Authorization": f"Bearer {ADMIN}"})
    key: str = answer.json()["key"]
    return key


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_who_is_not_signed_in_is_led_there_and_back_again(visit: Visit, closed_server: Server) -> None:
    key = new_key(closed_server, "dashboard", "predict")
    page = visit(closed_server, "/console?from=test", expected=(REFUSED,))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, key)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    assert page.url == closed_server.url + "/console?from=test"
    expect(page.locator("#caller")).to_contain_text("dashboard")


def test_no_script_of_the_page_can_read_the_key(visit: Visit, closed_server: Server) -> None:
    page = visit(closed_server, "/console/sign-in", expected=(REFUSED,))
    sign_in(page, new_key(closed_server, "hidden", "predict"))
    expect(page.locator("#caller")).to_contain_text("hidden")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_signing_out_leaves_nothing_behind(visit: Visit, closed_server: Server) -> None:
    page = visit(closed_server, "/console/sign-in", expected=(REFUSED,))
    sign_in(page, new_key(closed_server, "leaving", "predict"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []
    page.goto(closed_server.url + "/console")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_key_is_told_beside_the_field_and_can_be_mended(visit: Visit, closed_server: Server) -> None:
    page = visit(closed_server, "/console/sign-in", expected=(REFUSED,))
    sign_in(page, "atl_3k9tq0m4zx7h_wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not taken")
    expect(page.get_by_label("API key")).to_be_focused()
    sign_in(page, ADMIN)
    expect(page.locator("#caller")).to_contain_text("ATOLL_ADMIN_KEY")


def test_a_key_that_is_revoked_leads_back_to_signing_in(visit: Visit, closed_server: Server) -> None:
    key = new_key(closed_server, "short", "predict")
    page = visit(closed_server, "/console/sign-in", expected=(REFUSED,))
    sign_in(page, key)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    closed_server.client.delete(f"/keys/{key[:16]}", headers={"Authorization": f"Bearer {ADMIN}"})
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("target", ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "/docs"])
def test_after_signing_in_nobody_is_led_out_of_the_console(visit: Visit, closed_server: Server, target: str) -> None:
    page = visit(closed_server, f"/console/sign-in?next={target}", expected=(REFUSED,))
    sign_in(page, ADMIN)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_where_everybody_may_do_everything_nobody_has_to_sign_in(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/sign-in")
    page.get_by_role("link", name="Go on without").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator("#caller")).not_to_be_visible()


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_signing_in_is_open_to_people_with_disabilities(
    visit: Visit, closed_server: Server, phone: bool, dark: bool
) -> None:
    page = visit(closed_server, "/console/sign-in", phone=phone, dark=dark, expected=(REFUSED,))
    expect(page.get_by_label("API key")).to_be_focused()
    assert violations(page) == []
    assert overflow_px(page) == 0


def test_an_account_of_the_identity_provider_signs_in(visit: Visit, start_server: Callable[..., Server]) -> None:
    issuer = Issuer()
    pages = AuthorizationServer(lambda: issuer.token(preferred_username="alice@example.org"))
    issuer.described.update(pages.described)
    server = start_server(
        env={
            "SERVICE_MODEL": "sample",
            "ANONYMOUS_SCOPES": "none",
            "OIDC_ISSUER": issuer.url,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_CLIENT_ID": CLIENT_ID,
        },
        ready=False,
    )
    page = visit(server, "/console", expected=(REFUSED, f"asked {pages.url}/authorize"))
    page.get_by_role("link", name="Sign in with 127.0.0.1").click()
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    expect(page.locator("#caller")).to_contain_text("alice@example.org")
    pages.close()
    issuer.close()
