"""Pages in Debian's Chromium, on real servers. Each test ends with a look at what the browser had to complain about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.backends import missing
from tests.support.chromium import ARGUMENTS, program
from tests.support.servers import Server

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
# Only a page that hangs takes as long.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Watch:
    """What a browser complains about, and whom it asks.

    Parameters
    ----------
    origin : the only one that may be asked.
    expected : parts of complaints that the test itself causes, as `status of 404`.
    """

    origin: str
    expected: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def see(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._note)

    def found(self) -> list[str]:
        """Errors, violations of the policy among them, and requests to others; nothing that was expected."""
        told = self.complaints + [f"asked {url}" for url in self.foreign]
        return [text for text in told if not any(part in text for part in self.expected)]

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser tells what its policy forbids as an error, or for reports only as a warning.
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign.append(request.url)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One for all tests of this folder. Not longer: while it is there, no other event loop can run in this thread."""
    found = program()
    if found is None:
        missing("Chromium is not installed: `apt install chromium-headless-shell` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages: `visit(server, "/console", phone=True, dark=True)`; all of a test share cookies and storage.

    After the test no page may have had an error in its console, asked another origin, or run into the policy. What a
    test causes itself it names: `expected=("status of 401",)`.
    """
    contexts: dict[str, BrowserContext] = {}
    watches: list[Watch] = []

    def open_page(
        server: Server,
        path: str = "/console",
        *,
        phone: bool = False,
        dark: bool = False,
        expected: tuple[str, ...] = (),
    ) -> Page:
        name = f"{server.url} {phone} {dark}"
        if name not in contexts:
            contexts[name] = chromium.new_context(
                viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]  # a TypedDict of the library
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
                ignore_https_errors=server.url.startswith("https:"),
                permissions=["clipboard-read", "clipboard-write"],
            )
            contexts[name].set_default_timeout(PATIENCE_MS)
        page = contexts[name].new_page()
        watch = Watch(server.url, list(expected))
        watch.see(page)
        watches.append(watch)
        page.goto(server.url + path)
        return page

    yield open_page
    for context in contexts.values():
        context.close()
    assert [complaint for watch in watches for complaint in watch.found()] == []


def violations(page: Page) -> list[str]:
    """What axe finds serious or critical on a page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    response: dict[str, Any] = Axe().run(page).response
    return [
        f"{found['id']}: {found['help']} ({node['html'][:120]})"
        for found in response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def overflow_px(page: Page) -> int:
    """By how much the page is wider than the window; 0 where nothing has to be scrolled sideways."""
    found: int = page.evaluate(
        "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)"
    )
    return found


@pytest.fixture(scope="session")
def console_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the light models, open to this machine, for tests that leave it as it is."""
    server = Server(tmp_path_factory.mktemp("console"), env={"SERVICE_MODEL": "sample,housing,sentiment"})
    yield server
    server.stop()
