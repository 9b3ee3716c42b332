"""CPU of the server for each open tab that asks again and again, by page: of one core, without what it takes idle."""

import time
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from benchmarks.console import filled
from benchmarks.console.bench import Bench, Site
from benchmarks.console.browser import fresh, in_place_ms
from benchmarks.report import Fact, Reach

TABS = 5
CPU_PERCENT = 1.0
_WINDOW_S = 8.0
# The overview asks for some parts every sixth time.
_LONG_S = 30.0
# What else a page does when it opens is over by then.
_SETTLED_MS = 1500
_STEP_S = 1.0


@dataclass(frozen=True)
class Asked:
    """Of one tab."""

    cpu_percent: float
    requests_per_min: float


def measure(bench: Bench, browser: Browser, site: Site) -> dict[str, Asked]:
    """By page; and of the list and the page of a job whose progress changes every second."""
    window_s = 2.0 if bench.is_quick else _WINDOW_S
    idle = _idle_share(site, window_s)
    found: dict[str, Asked] = {}
    for name, path in site.pages().items():
        with bench.telling(f"{name}, polling"):
            long_s = _LONG_S if name == "Overview" and not bench.is_quick else window_s
            found[name] = _one(browser, site, [path], long_s, idle)
    pages = site.pages()
    for name in ("Jobs", "Job"):
        with bench.telling(f"{name} in progress, polling"):
            found[f"{name}, one in progress"] = _one(browser, site, [pages[name]], window_s, idle, changes=True)
    most = max((asked.cpu_percent for asked in found.values()), default=0.0)
    reach = Reach(CPU_PERCENT, "value")
    bench.report.add(Fact("console", "polling", "most CPU of the server for an open tab", most, "%", reach, decimals=2))
    return found


def _idle_share(site: Site, window_s: float) -> float:
    began_s, used_s = time.perf_counter(), site.server.cpu_s()
    time.sleep(window_s)
    return (site.server.cpu_s() - used_s) / (time.perf_counter() - began_s)


def _one(
    browser: Browser, site: Site, paths: list[str], window_s: float, idle: float, *, changes: bool = False
) -> Asked:
    asked = 0

    def count(_: object) -> None:
        nonlocal asked
        asked += 1

    with fresh(browser) as context:
        tabs = [_open(context.new_page(), site.url + path) for path in paths for _ in range(TABS)]
        tabs[-1].wait_for_timeout(_SETTLED_MS)
        context.on("request", count)
        began_s, used_s, steps = time.perf_counter(), site.server.cpu_s(), 0
        while (gone_s := time.perf_counter() - began_s) < window_s:
            if changes and gone_s >= steps * _STEP_S:
                filled.step(site.database, site.job, (steps := steps + 1) / 1000)
            tabs[-1].wait_for_timeout(100)
        share = (site.server.cpu_s() - used_s) / gone_s - idle
        return Asked(max(0.0, 100 * share / len(tabs)), 60 * asked / gone_s / len(tabs))


def _open(page: Page, url: str) -> Page:
    page.goto(url)
    in_place_ms(page)
    return page
