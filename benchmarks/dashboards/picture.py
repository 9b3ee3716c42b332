"""A whole dashboard as one SVG picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from benchmarks.dashboards.chart import Frame, Named, draw, named
from benchmarks.dashboards.panels import Dashboard, Panel, filled
from benchmarks.dashboards.prometheus import Prometheus
from benchmarks.svg import svg, text

_WIDTH = 1200
_COLUMN, _LINE, _GAP = _WIDTH / 24, 30, 8
_TOP = 16
# Points of a line: more than can be told apart take room only.
_POINTS = 200


@dataclass(frozen=True)
class Span:
    """The time that is shown, seconds since 1970, and the seconds between two scrapes of it."""

    start_s: float
    end_s: float
    interval_s: float

    @property
    def step_s(self) -> float:
        return max(self.interval_s, (self.end_s - self.start_s) / _POINTS)

    @property
    def window(self) -> str:
        """What rates are taken over: as Grafana does, four scrapes at least, and the more the longer the time is."""
        return f"{max(4 * self.interval_s, (self.end_s - self.start_s) / 40):.0f}s"


def render(dashboard: Dashboard, prometheus: Prometheus, span: Span) -> str:
    """The picture, or nothing where no panel has anything to show.

    Panels without data are left out, and the others move up; a stretch of the run that Prometheus did not see is a gap.

    Raises
    ------
    NoPrometheus
    """
    found = [(panel, _series(panel, prometheus, span)) for panel in dashboard.panels]
    parts: list[str] = []
    bottom = float(_TOP)
    for panel, place in _placed([panel for panel, series in _with_heads(found) if series or panel.kind == "row"]):
        x, y, width, height = place
        bottom = max(bottom, y + height)
        if panel.kind == "row":
            parts.append(text(x + 4, y + 20, escape(panel.title), "bold", size=14))
        else:
            frame = Frame(x, y, width, height, span.start_s, span.end_s)
            parts += draw(panel, dict(found)[panel], frame)
    if not parts:
        return ""
    ground = f'<rect y="-20" width="{_WIDTH}" height="{bottom + 40:.0f}" fill="#f8f9fa"/>'
    head = [text(10, 0, escape(dashboard.title), "bold", size=16), text(_WIDTH - 10, 0, _told(span), anchor="end")]
    return svg(_WIDTH, int(bottom) + 4, escape(dashboard.title), [ground, *head, *parts])


def _told(span: Span) -> str:
    began = datetime.fromtimestamp(span.start_s, UTC)
    length_s = span.end_s - span.start_s
    length = f"{length_s:.0f} seconds" if length_s < 120 else f"{length_s / 60:.1f} minutes"
    return f"{length} from {began:%Y-%m-%d %H:%M} UTC"


def _series(panel: Panel, prometheus: Prometheus, span: Span) -> list[Named]:
    return [
        one
        for target in panel.targets
        for one in named(
            target.legend,
            prometheus.over(filled(target.expr, span.window), span.start_s, span.end_s, span.step_s),
        )
    ]


def _with_heads(found: Sequence[tuple[Panel, list[Named]]]) -> Iterator[tuple[Panel, list[Named]]]:
    """Without headings under which nothing is left."""
    head: tuple[Panel, list[Named]] | None = None
    for panel, series in found:
        if panel.kind == "row":
            head = (panel, series)
        elif series:
            if head is not None:
                yield head
            head = None
            yield panel, series


def _placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, tuple[float, float, float, float]]]:
    """Left to right and down, as wide and high as Grafana shows them: left, top, width, height in pixels."""
    column, top, line = 0, float(_TOP), 0.0
    for panel in panels:
        _, _, wide, high = panel.place
        if column + wide > 24:
            column, top, line = 0, top + line, 0.0
        height = high * _LINE
        yield panel, (column * _COLUMN + _GAP / 2, top, wide * _COLUMN - _GAP, height - _GAP)
        column, line = column + wide, max(line, float(height))
