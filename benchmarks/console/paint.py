"""First paint and bytes of each page: by a browser that has never been here, and again by the same one."""

import statistics
from dataclasses import dataclass

from playwright.sync_api import Browser

from benchmarks.console.bench import Bench, Site
from benchmarks.console.browser import Traffic, fresh, in_place_ms, seen_ms
from benchmarks.report import Fact, Reach

PAINT_MS = 300.0
PAGE_KB = 150.0
# What draws charts and maps, and is fetched by pages that do.
_CHARTS = ("/console/packages/", "/console/shapes/")
_SETTLED_MS = 700
_ROUNDS = 3


@dataclass(frozen=True)
class Seen:
    """One page: medians in milliseconds, bytes as they go over the wire in kB (1000 bytes)."""

    cold_ms: float
    cold_in_place_ms: float
    warm_ms: float
    warm_in_place_ms: float
    page_kb: float
    charts_kb: float
    again_kb: float


def measure(bench: Bench, browser: Browser, site: Site) -> dict[str, Seen]:
    """Also the first page that a server answers at all."""
    paths = site.pages()
    with fresh(browser) as context:
        page = context.new_page()
        page.goto(site.url + paths["Overview"])
        bench.report.add(Fact("console", "first", "first page of a new server, first paint", seen_ms(page), "ms"))
        in_place_ms(page)
    seen = {}
    for name, path in paths.items():
        with bench.telling(name):
            seen[name] = _one(browser, site.url + path, 1 if bench.is_quick else _ROUNDS)
    if seen:
        rows = seen.values()
        paint, size = Reach(PAINT_MS, "value"), Reach(PAGE_KB, "value")
        bench.report.add(
            Fact("console", "cold", "slowest page, first paint, cold", max(r.cold_ms for r in rows), "ms", paint),
            Fact("console", "warm", "slowest page, first paint, warm", max(r.warm_ms for r in rows), "ms", paint),
            Fact("console", "bytes", "largest page, without charts", max(r.page_kb for r in rows), "kB", size),
        )
    return seen


def _one(browser: Browser, url: str, rounds: int) -> Seen:
    cold: list[tuple[float, float]] = []
    warm: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    for _ in range(rounds):
        with fresh(browser) as context:
            for times in (cold, warm):
                page = context.new_page()
                traffic = Traffic()
                traffic.watch(page)
                page.goto(url)
                times.append((seen_ms(page), in_place_ms(page)))
                if len(sizes) < 2:
                    page.wait_for_timeout(_SETTLED_MS)
                    sizes.append((traffic.bytes_of(), traffic.bytes_of(*_CHARTS)))
                page.close()
    (first, first_charts), (again, _) = sizes
    cold_ms, cold_in_place_ms = map(statistics.median, zip(*cold, strict=True))
    warm_ms, warm_in_place_ms = map(statistics.median, zip(*warm, strict=True))
    return Seen(
        cold_ms,
        cold_in_place_ms,
        warm_ms,
        warm_in_place_ms,
        (first - first_charts) / 1000,
        first_charts / 1000,
        again / 1000,
    )
