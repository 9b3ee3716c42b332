"""The list of ten thousand jobs: until its first rows are there, and scrolled from the newest to the oldest one."""

from playwright.sync_api import Browser, Page

from benchmarks.console.bench import JOBS, Bench, Site
from benchmarks.console.browser import Meter, fresh, in_place_ms
from benchmarks.report import Fact, Reach, percentile

# At 60 frames a second two may be missed in a row before anybody sees it.
FRAME_MS = 50.0
# Pixels a frame: some 35,000 a second, as by a strong turn of the wheel.
_STEP_PX = 600
_LIMIT_MS = 60_000
_SCROLL = """
([step, limit]) => new Promise((done) => {
  const frames = [];
  const began = performance.now();
  let [last, still] = [began, 0];
  const turn = (now) => {
    frames.push(now - last);
    last = now;
    const before = scrollY;
    scrollBy(0, step);
    // At the end of what there is so far; older rows may be on their way.
    still = scrollY === before ? still + 1 : 0;
    const told = document.querySelector("#count").textContent;
    if ((still > 5 && told.includes("in all")) || now - began > limit) done({ frames, told, tookMs: now - began });
    else requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})
"""


def measure(bench: Bench, browser: Browser, site: Site) -> None:
    with fresh(browser) as context:
        page = context.new_page()
        page.goto(f"{site.url}/console/jobs")
        bench.report.add(Fact("10,000 jobs", "rows", "first rows of the list, cold", in_place_ms(page), "ms"))
        _scroll(bench, page)


def _scroll(bench: Bench, page: Page) -> None:
    meter = Meter(page)
    before = meter.read()
    told = page.evaluate(_SCROLL, [_STEP_PX, 5_000 if bench.is_quick else _LIMIT_MS])
    after = meter.read()
    # The first one is from before the scrolling.
    frames = told["frames"][1:]
    busy_ms = 1000 * (after["TaskDuration"] - before["TaskDuration"]) / len(frames)
    # "10,002 jobs in all": at least those that were put there.
    counted = int(told["told"].split()[0].replace(",", "") or 0)
    if not bench.is_quick and (counted < JOBS or "in all" not in told["told"]):
        bench.report.notes.append(f"The list was not scrolled to its end: {told['told']}.")
    reach = Reach(FRAME_MS, "value")
    rows = "document.querySelectorAll('#jobs tbody tr').length"
    bench.report.add(
        Fact("10,000 jobs", "frame", "scrolled to the end: frame, median", percentile(frames, 0.5), "ms", decimals=1),
        Fact("10,000 jobs", "frame-p99", "frame, p99", percentile(frames, 0.99), "ms", reach, decimals=1),
        Fact("10,000 jobs", "frame-max", "longest frame", max(frames), "ms", decimals=1),
        Fact("10,000 jobs", "busy", "main thread busy for a frame, mean", busy_ms, "ms", decimals=1),
        Fact("10,000 jobs", "whole", "from the newest to the oldest", told["tookMs"] / 1000, "s", decimals=1),
        Fact("10,000 jobs", "present", "rows in the page at the end", page.evaluate(rows), ""),
        Fact("10,000 jobs", "heap", "memory of the page's scripts", after["JSHeapUsedSize"] / 1e6, "MB", decimals=1),
    )
