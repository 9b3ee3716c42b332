"""Settings: what is in effect, keys, the audit log."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {"SERVICE_MODEL": "sample", "MAX_BODY_BYTE": "1000"}
    started = Server(tmp_path_factory.mktemp("settings"), env=env)
    yield started
    started.stop()


def named(page: Page, setting: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(setting, exact=True))


def test_each_setting_is_shown_with_where_it_comes_from(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/settings")
    row = named(page, "SERVICE_MODEL")
    expect(row).to_contain_text("sample")
    expect(row).to_contain_text("environment")
    expect(page.get_by_text("MAX_BODY_BYTE is no setting")).to_be_visible()
    page.get_by_label("Search").fill("GRPC_PORT")
    expect(page.get_by_text("SERVICE_MODEL", exact=True)).not_to_be_visible()
    expect(named(page, "GRPC_PORT")).to_contain_text("default")
    page.get_by_label("Only what is not the default").check()
    expect(page.get_by_role("heading", name="No setting is like that")).to_be_visible()


def test_a_secret_is_masked(visit: Visit, start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "ATOLL_ADMIN_KEY": "a-secret-of-tests-0123456789-0123456789"})
    page = visit(server, "/console/settings")
    expect(named(page, "ATOLL_ADMIN_KEY").locator("td").first).to_have_text("***")
    assert "a-secret-of-tests" not in page.content()


def test_a_key_is_made_shown_once_used_and_revoked(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/settings?tab=keys")
    page.get_by_role("button", name="New key").click()
    draft = page.get_by_role("dialog", name="New key")
    draft.get_by_label("Name").fill("dashboard")
    draft.get_by_role("textbox", name="Models").fill("sample")
    assert violations(page) == []
    draft.get_by_role("button", name="Make the key").click()
    made = page.get_by_role("dialog", name="Key dashboard")
    key = made.get_by_role("region", name="The new key").inner_text()
    bearer = {"Authorization": f"Bearer {key}"}
    assert server.get("/keys/self", headers=bearer).json()["scopes"] == ["predict"]
    made.get_by_role("button", name="I have copied it").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert key not in page.content()
    row = page.get_by_role("row").filter(has_text="dashboard")
    row.get_by_role("button", name="Revoke dashboard").click()
    page.get_by_role("dialog", name="Revoke dashboard?").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("dashboard is revoked")).to_be_visible()
    expect(row).not_to_be_visible()
    page.get_by_label("Show those revoked").check()
    expect(row.locator(".badge").first).to_have_text("revoked")
    assert server.get("/keys/self", headers=bearer).status_code == 401


def test_what_is_wrong_with_a_key_is_said_in_its_dialog(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/settings?tab=keys", expected=("status of 422",))
    page.get_by_role("button", name="New key").click()
    draft = page.get_by_role("dialog", name="New key")
    draft.get_by_label("Name").fill("nobody")
    draft.get_by_role("textbox", name="Models").fill("no-such-model")
    draft.get_by_role("button", name="Make the key").click()
    expect(draft.get_by_role("alert")).to_contain_text("no-such-model")


def test_the_audit_log_tells_who_did_what_and_is_searched(visit: Visit, server: Server) -> None:
    server.post("/keys", json={"name": "audited", "scopes": ["predict"]})
    server.client.put("/datasets/audited/values.csv", content=b"a\n1\n")
    page = visit(server, "/console/settings?tab=audit")
    table = page.get_by_role("table", name="Audit log")
    expect(table).to_contain_text("dataset.written")
    page.get_by_label("Action").fill("key")
    page.get_by_role("button", name="Search").click()
    expect(table).not_to_contain_text("dataset.written")
    expect(table).to_contain_text("key.created")


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_settings_are_open_to_people_with_disabilities(visit: Visit, server: Server, phone: bool, dark: bool) -> None:
    server.post("/keys", json={"name": "shown", "scopes": ["predict"]})
    page = visit(server, "/console/settings", phone=phone, dark=dark)
    for tab, there in {
        "configuration": page.get_by_text("SERVICE_MODEL", exact=True),
        "keys": page.get_by_role("row").filter(has_text="shown").first,
        "audit": page.get_by_role("table", name="Audit log").get_by_text("key.created").first,
    }.items():
        page.goto(f"{server.url}/console/settings?tab={tab}")
        expect(there).to_be_visible()
        assert (tab, violations(page), overflow_px(page)) == (tab, [], 0)
