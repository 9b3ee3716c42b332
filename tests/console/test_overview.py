"""The overview, and what all pages share: theme, phone width, navigation."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]


def test_the_root_leads_a_browser_to_the_overview(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/")
    assert page.url == console_server.url + "/console"
    expect(page).to_have_title("Overview · Atoll")


def test_each_model_is_listed_with_its_state(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    rows = page.get_by_role("table", name="Models and their figures").get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="Sample Model").locator(".badge")).to_have_text("ready")


def test_requests_appear_in_the_figures_of_their_model(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    row = page.get_by_role("row").filter(has_text="Sample Model")
    expect(row).to_be_visible()
    console_server.post("/sample_model/predict", json={"requiredField": "console"})
    # Requests a second, and the line of the last minutes.
    expect(row.get_by_role("cell").nth(2)).not_to_have_text(re.compile(r"^[^1-9]*$"))
    expect(row.get_by_role("img")).to_be_visible()


def test_what_needs_attention_is_said_with_what_to_do(visit: Visit, start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "countries"})
    page = visit(server)
    notice = page.get_by_label("Warnings").get_by_text("Answers come from a generated sample")
    expect(notice).to_be_visible()
    expect(page.get_by_label("Warnings")).to_contain_text("DATASET_PATH")


def test_a_server_that_is_gone_is_told_and_the_figures_stay(visit: Visit, start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    page = visit(server, expected=("ERR_CONNECTION_REFUSED",))
    expect(page.locator("#live")).to_have_text("Live")
    server.kill()
    expect(page.locator("#live")).to_have_text("The server does not answer")
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    visit: Visit, console_server: Server, phone: bool, dark: bool
) -> None:
    page = visit(console_server, phone=phone, dark=dark)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    assert violations(page) == []


def test_on_a_phone_the_page_is_not_wider_than_the_screen(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, phone=True)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    assert overflow_px(page) == 0


def test_on_a_phone_the_menu_opens_and_escape_closes_it(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, phone=True)
    link = page.get_by_role("link", name="API reference")
    expect(link).not_to_be_visible()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).not_to_be_visible()
    expect(page.get_by_role("button", name="Menu")).to_be_focused()


def test_the_theme_is_the_systems_until_another_is_chosen_and_is_remembered(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server, dark=True)
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Theme: as the system").click()
    light = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == light
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_an_address_without_a_page_says_so(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/nowhere", expected=("status of 404",))
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_the_page_is_light(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    files = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(one => new URL(one.name).pathname.startsWith('/console')).map(one => one.transferSize)"
    )
    assert sum(files) < 150_000
