"""The help in a browser, built and served as for users."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.checkout import checkout_environment, copy_checkout
from tests.support.servers import Server
from tests.support.site import build_site


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    build_site(folder / "build" / "site")
    env = {**checkout_environment(folder), "SERVICE_MODEL": "sample"}
    made = Server(folder / ".atoll", folder=folder, env=env)
    yield made
    made.stop()


def test_the_help_opens_and_leads_to_the_tutorial(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server, "/console/help")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Atoll")
    page.get_by_role("article").get_by_role("link", name="Your first model in 10 minutes").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your first model in 10 minutes")


def test_the_search_finds_a_page_without_asking_another_origin(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server, "/console/help/")
    box = page.get_by_role("textbox", name="Search")
    box.click()
    box.press_sequentially("rents")
    expect(page.locator(".md-search-result__link").first).to_contain_text("Your first model in 10 minutes")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_have_the_colours_of_the_system(server: Server, visit: Callable[..., Page], dark: bool) -> None:
    page = visit(server, "/console/help/architecture.html", dark=dark, phone=True)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(13, 20, 21)" if dark else "rgb(255, 255, 255)")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


def test_the_help_is_as_dark_as_the_console_and_the_console_as_the_help(
    server: Server, visit: Callable[..., Page]
) -> None:
    page = visit(server, "/console/help/")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "default")
    page.evaluate("localStorage.setItem('atoll-theme', 'dark')")
    page.goto(f"{server.url}/console/help/tutorial.html")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    # The way on from dark is what the system says; from there to light.
    page.get_by_title("As the system says").click()
    assert page.evaluate("localStorage.getItem('atoll-theme')") is None
    page.get_by_title("Light").click()
    assert page.evaluate("localStorage.getItem('atoll-theme')") == "light"


def test_the_help_leads_back_to_the_console(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server, "/console/help/")
    page.get_by_role("navigation", name="Navigation").get_by_role("link", name="← Console").click()
    page.wait_for_url(f"{server.url}/console")


def test_the_page_of_every_route_is_there_and_no_wider_than_a_phone(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server, "/console/help/reference-api.html", phone=True)
    expect(page.locator("#post-jobs-job-id-retry")).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
