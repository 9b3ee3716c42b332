"""Chromium, and what it tells of a page: when it was seen, what it fetched, how busy its main thread was."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.report import NotMeasured
from tests.support import chromium

PATIENCE_MS = 60_000
# Runs before the page's own scripts. Content is in place when the last skeleton is gone.
_WATCH = """
window.inPlace = new Promise((done) => {
  addEventListener("DOMContentLoaded", () => {
    const look = () => {
      if (document.querySelector("main .skeleton")) return;
      watching.disconnect();
      done(performance.now());
    };
    const watching = new MutationObserver(look);
    watching.observe(document, { childList: true, subtree: true });
    look();
  });
});
"""
_SEEN = """
new Promise((done) => {
  const look = (list) => list.getEntriesByName("first-contentful-paint").forEach((found) => done(found.startTime));
  new PerformanceObserver(look).observe({ type: "paint", buffered: true });
})
"""
# The policy of the pages forbids what the library's own way to wait would need.
_IN_TIME = "Promise.race([{promise}, new Promise((_, fail) => setTimeout(fail, {patience_ms}, '{what}'))])"


@dataclass
class Traffic:
    """What a page fetched: bytes on the wire, headers too, by path."""

    sizes: dict[str, float] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)

    def watch(self, page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.on("Network.responseReceived", self._begun)
        session.on("Network.loadingFinished", self._done)
        session.send("Network.enable")

    def _begun(self, told: dict[str, Any]) -> None:
        self._paths[told["requestId"]] = told["response"]["url"]

    def _done(self, told: dict[str, Any]) -> None:
        url = self._paths.get(told["requestId"], "")
        if not url.startswith(("data:", "blob:")):
            self.sizes[f"{url} {told['requestId']}"] = told["encodedDataLength"]

    def bytes_of(self, *parts: str) -> float:
        """Of addresses that hold one of these parts; of all without any."""
        return sum(size for url, size in self.sizes.items() if not parts or any(part in url for part in parts))


@contextlib.contextmanager
def opened() -> Iterator[Browser]:
    """Raises `NotMeasured` where Chromium is not installed."""
    found = chromium.whole_browser() or chromium.program()
    if found is None:
        raise NotMeasured("Chromium is not installed: `apt install chromium` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=chromium.ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def fresh(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_WATCH)
    try:
        yield context
    finally:
        context.close()


def seen_ms(page: Page) -> float:
    """When anything was seen of it (First Contentful Paint), from the beginning of the navigation."""
    return float(waited(page, _SEEN, "nothing is painted"))


def in_place_ms(page: Page) -> float:
    """When its data had taken the place of what stands there until then."""
    return float(waited(page, "window.inPlace", "data is missing"))


def waited(page: Page, promise: str, what: str) -> Any:
    """What a promise of the page gives. `what` is told where it does not in time."""
    return page.evaluate(_IN_TIME.format(promise=promise, patience_ms=PATIENCE_MS, what=what))


class Meter:
    """Chromium's own counters of a page, from now on: `TaskDuration` (s of the main thread), `JSHeapUsedSize`, …"""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def read(self) -> dict[str, float]:
        return {one["name"]: one["value"] for one in self._session.send("Performance.getMetrics")["metrics"]}
