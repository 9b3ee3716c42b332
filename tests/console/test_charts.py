"""The chart wrapper and the map, under the policy of all pages."""

import math
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.servers import Server

Visit = Callable[..., Page]

# In a page that has no chart of its own.
DRAW = """async (kind) => {
  const base = new URL(document.querySelector('link[rel=modulepreload]').href + '/../').pathname;
  const { chart, worldMap } = await import(base + 'chart.js');
  const place = document.createElement('div');
  place.className = 'chart';
  document.querySelector('main').prepend(place);
  const describe = {
    bars: (colors) => ({ tooltip: { trigger: 'axis' }, legend: {}, xAxis: {},
      yAxis: { type: 'category', data: ['a', 'b'] }, series: [{ type: 'bar', name: 'x', data: [1, 2] }] }),
    heat: (colors) => ({ tooltip: {}, visualMap: { min: 0, max: 1, inRange: { color: colors.ramp } },
      xAxis: { type: 'category' }, yAxis: { type: 'category' },
      series: [{ type: 'heatmap', data: [[0, 0, 0.2], [1, 1, 0.9]] }] }),
    parallel: () => ({ parallelAxis: [{ dim: 0, name: 'depth' }, { dim: 1, name: 'rate' }],
      series: [{ type: 'parallel', data: [[1, 2], [2, 1]] }] }),
    map: (colors) => ({ tooltip: {}, visualMap: { min: 0, max: 5, inRange: { color: colors.ramp } },
      series: [{ type: 'map', map: 'world', nameProperty: 'iso3', data: [{ name: 'FJI', value: 3 }] }] }),
  }[kind];
  if (kind === 'map') await worldMap();
  window.drawn = await chart(place, describe, { label: `A chart of ${kind}` });
  return kind;
}"""


def test_bars_matrices_and_parallel_axes_are_drawn_and_explain_themselves(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    for kind in ("bars", "heat", "parallel"):
        page.evaluate(DRAW, kind)
        picture = page.get_by_role("img", name=f"A chart of {kind}")
        expect(picture.locator("canvas").first).to_be_visible()
        # Text under the pointer must not bring styles into the page.
        picture.hover()
    assert page.locator(".chart-canvas").count() == 3


def test_the_map_knows_the_small_island_states(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    page.evaluate(DRAW, "map")
    expect(page.get_by_role("img", name="A chart of map").locator("canvas").first).to_be_visible()
    named = page.evaluate(
        "async () => Object.fromEntries(await (await import(document.querySelector('link[rel=modulepreload]').href"
        ".replace(/[^/]*$/, 'chart.js'))).worldMap())"
    )
    assert named["TUV"]["name"] == "Tuvalu"
    longitude, latitude = named["FJI"]["center"]
    assert math.dist((longitude, latitude), (178, -17.8)) < 3


def test_a_chart_is_drawn_anew_in_the_colours_of_another_theme(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    page.evaluate(DRAW, "bars")
    colour = "window.drawn.instance.getOption().textStyle.color"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(colour) != light


def test_a_chart_can_be_kept_as_a_picture(visit: Visit, console_server: Server, tmp_path: Path) -> None:
    page = visit(console_server)
    page.evaluate(DRAW, "bars")
    with page.expect_download() as begun:
        page.evaluate("window.drawn.savePng('importance.png')")
    assert begun.value.suggested_filename == "importance.png"
    begun.value.save_as(tmp_path / "importance.png")
    assert (tmp_path / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_without_charts_does_not_load_the_library(visit: Visit, console_server: Server) -> None:
    page = visit(console_server)
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    asked = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert [name for name in asked if "echarts" in name or "shapes" in name] == []
