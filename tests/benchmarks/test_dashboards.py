"""Pictures of dashboards, without a Prometheus; tests/deployment/test_expressions.py has a real one."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks.dashboards import panels
from benchmarks.dashboards.chart import Frame, Named, draw, name_of
from benchmarks.dashboards.panels import Dashboard, Panel, Target, filled
from benchmarks.dashboards.picture import Span, render
from benchmarks.dashboards.prometheus import NoPrometheus, Prometheus, Series
from benchmarks.dashboards.units import shown, ticks
from tests.support.servers import free_port

FRAME = Frame(0, 0, 600, 240, 0, 100)
SPAN = Span(0, 100, 1)


def panel(
    kind: str = "timeseries", title: str = "It", *, stacked: bool = False, expr: str = "it", wide: int = 12
) -> Panel:
    return Panel(kind, title, "short", (0, 0, wide, 8), (Target(expr, "{{name}}"),), stacked)


def series(*points: tuple[float, float], name: str = "a") -> Named:
    return Named(name, points)


def svg_of(parts: list[str]) -> ET.Element:
    return ET.fromstring(f'<svg xmlns="s">{"".join(parts)}</svg>')  # noqa: S314 - made above


def paths(parts: list[str]) -> list[str]:
    return [str(found.get("d")) for found in svg_of(parts).iter("{s}path") if found.get("fill") == "none"]


class Answers(Prometheus):
    """Has these series, by expression, instead of a server."""

    def __init__(self, **found: Series) -> None:
        self._found = found

    def over(self, expr: str, *_: Any) -> list[Series]:
        return [self._found[expr]] if expr in self._found else []


def test_each_dashboard_can_be_read_and_asks_something() -> None:
    for name in panels.names():
        found = panels.read(name)
        assert [one.title for one in found.panels if one.kind != "row" and not one.targets] == []


def test_what_is_chosen_in_lists_is_everything_and_rates_have_their_window() -> None:
    assert filled('rate(a{route=~"$route"}[$__rate_interval])', "30s") == 'rate(a{route=~".*"}[30s])'


def test_a_name_is_made_of_labels_and_an_absent_one_is_empty() -> None:
    assert name_of("{{ model }} v{{version}}", {"model": "iris"}) == "iris v"


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.01254, "s", "12.5 ms"),
        (0.00025, "s", "250 µs"),
        (1.5, "s", "1.5 s"),
        (0.0, "s", "0 s"),
        (600, "s", "10 min"),
        (0.954, "percentunit", "95.4%"),
        (1320.4, "ops", "1.32k/s"),
        (187_000_000, "bytes", "187 MB"),
        (100, "short", "100"),
        (0, "reqps", "0/s"),
    ],
)
def test_values_are_told_as_people_read_them(value: float, unit: str, told: str) -> None:
    assert shown(value, unit) == told


@pytest.mark.parametrize(("highest", "last"), [(0, 1), (0.3, 0.3), (7, 8), (386, 400), (1000, 1000)])
def test_an_axis_ends_at_or_above_what_is_highest(highest: float, last: float) -> None:
    found = ticks(highest, "short")
    assert found[0] == 0
    assert found[-1] == pytest.approx(last)
    assert 2 <= len(found) <= 6


def test_no_line_is_drawn_over_a_time_without_data() -> None:
    ways = paths(draw(panel(), [series((0, 1), (10, 1), (50, 1), (60, 1))], FRAME))
    assert [way.count(",") for way in ways] == [2, 2]


def test_series_that_are_stacked_lie_upon_each_other() -> None:
    alone = paths(draw(panel(), [series((0, 2), (10, 2)), series((0, 1), (10, 1), name="b")], FRAME))
    stacked = paths(draw(panel(stacked=True), [series((0, 2), (10, 2)), series((0, 1), (10, 1), name="b")], FRAME))
    assert len(alone) == len(stacked) == 2
    heights = {float(way.split(",")[1].split()[0]) for way in stacked}
    assert len(heights) == 2
    # 3 of 3 reaches the top, which 2 of 2 alone does too.
    assert min(heights) == min(float(way.split(",")[1].split()[0]) for way in alone)


def test_names_that_could_be_markup_are_told_as_they_are() -> None:
    parts = draw(panel(title="a < b"), [series((0, 1), name="<x> & y")], FRAME)
    assert {"a < b", "<x> & y"} <= {found.text for found in svg_of(parts).iter("{s}text")}


def test_a_legend_that_is_too_long_says_how_many_more_there_are() -> None:
    many = [series((0, number), name=f"a rather long name {number}") for number in range(12)]
    told = [str(found.text) for found in svg_of(draw(panel(), many, FRAME)).iter("{s}text")]
    shown_names = [text for text in told if text.startswith("a rather")]
    assert f"and {12 - len(shown_names)} more" in told


def test_a_heatmap_shows_each_bucket_without_those_below_it() -> None:
    buckets = [series((10, 3), name="0.1"), series((10, 3), name="0.5"), series((10, 4), name="+Inf")]
    cells = [found.get("fill") for found in svg_of(draw(panel("heatmap"), buckets, FRAME)).iter("{s}rect")]
    coloured = [fill for fill in cells if fill and fill not in ("white",)]
    # Three at most 0.1 s, none from there to 0.5 s, one above.
    assert len(coloured) == 2


def test_a_number_is_the_last_value() -> None:
    told = [found.text for found in svg_of(draw(panel("stat"), [series((0, 1), (10, 7))], FRAME)).iter("{s}text")]
    assert told == ["It", "7"]


def test_panels_without_data_are_left_out_with_headings_that_head_nothing() -> None:
    rows = [Panel("row", title, "short", (0, 0, 24, 1)) for title in ("Full", "Empty")]
    board = Dashboard(
        "it", "Board", (rows[0], panel(title="Seen", expr="seen"), rows[1], panel(title="Unseen", expr="no"))
    )
    picture = render(board, Answers(seen=Series({"name": "x"}, ((0, 1.0), (10, 2.0)))), SPAN)
    ET.fromstring(picture)  # noqa: S314 - made above
    assert [word in picture for word in ("Board", "Full", "Seen", "Empty", "Unseen")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_dashboard_without_any_data_is_no_picture() -> None:
    assert render(Dashboard("it", "Board", (panel(),)), Answers(), SPAN) == ""


def test_rates_are_taken_over_four_scrapes_and_more_of_a_long_time() -> None:
    assert (Span(0, 60, 15).window, Span(0, 3600, 15).window) == ("60s", "90s")


def test_where_there_is_no_prometheus_the_address_is_told() -> None:
    port = free_port()
    with Prometheus(f"http://127.0.0.1:{port}") as prometheus, pytest.raises(NoPrometheus, match=str(port)):
        prometheus.over("up", 0, 1, 1)
