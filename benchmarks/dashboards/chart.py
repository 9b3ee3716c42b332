"""Panels as SVG: lines over time, one large number, or how answers spread over times."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

from benchmarks.dashboards.panels import Panel
from benchmarks.dashboards.prometheus import Series
from benchmarks.dashboards.units import shown, ticks
from benchmarks.svg import text

_COLOURS = (
    "#1c7ed6", "#e8590c", "#2b8a3e", "#ae3ec9", "#f08c00", "#0c8599", "#c2255c", "#5c940d", "#4263eb", "#868e96",
)  # fmt: skip
_HEAT = ("#fff4e6", "#ffd8a8", "#ffa94d", "#fd7e14", "#d9480f", "#7f2704")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
# Of the small letters of a legend.
_LETTER = 6.0
_SMALL = 11


@dataclass(frozen=True)
class Frame:
    """Where a panel is drawn, in pixels, and the time that it shows, in seconds since 1970."""

    x: float
    y: float
    width: float
    height: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Named:
    """A series and what its legend calls it."""

    name: str
    points: tuple[tuple[float, float], ...]


def name_of(legend: str, labels: dict[str, str]) -> str:
    return _LEGEND.sub(lambda found: labels.get(found[1], ""), legend).strip()


def draw(panel: Panel, series: Sequence[Named], frame: Frame) -> list[str]:
    """The parts of one panel; `series` is not empty."""
    box = f'<rect x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'
    parts = [f'{box} rx="3" fill="white" stroke="#dee2e6"/>']
    parts.append(text(frame.x + 10, frame.y + 19, escape(panel.title), "bold", size=12))
    if panel.kind == "stat":
        return parts + _stat(panel, series[0], frame)
    inner = Frame(frame.x + 62, frame.y + 32, frame.width - 84, frame.height - 76, frame.start_s, frame.end_s)
    if panel.kind == "heatmap":
        return parts + _heatmap(series, inner)
    return parts + _lines(panel, series, inner)


def _stat(panel: Panel, series: Named, frame: Frame) -> list[str]:
    """The last value, over its course."""
    low = Frame(frame.x + 1, frame.y + 62, frame.width - 2, frame.height - 64, frame.start_s, frame.end_s)
    limit = max(value for _, value in series.points) or 1.0
    way = _way(series.points, limit, low)
    first, last = _x(series.points[0][0], low), _x(series.points[-1][0], low)
    base = low.y + low.height
    area = f'<path d="M{first:.1f},{base:.1f} L{way} L{last:.1f},{base:.1f} Z" fill="{_COLOURS[2]}" opacity="0.15"/>'
    said = shown(series.points[-1][1], panel.unit)
    return [area, text(frame.x + frame.width / 2, frame.y + 58, said, "bold", "middle", 30)]


def _lines(panel: Panel, series: Sequence[Named], frame: Frame) -> list[str]:
    ordered = sorted(series, key=lambda one: (-max(value for _, value in one.points), one.name))
    drawn = _stacked(ordered) if panel.is_stacked else [(one, ()) for one in ordered]
    highest = max(value for one, _ in drawn for _, value in one.points)
    lines = ticks(highest, panel.unit)
    parts = _axes([(value, shown(value, panel.unit)) for value in lines], lines[-1], frame)
    # The lowest of a stack last, so that it lies on those that contain it.
    for place, (one, below) in reversed(list(enumerate(drawn))):
        colour = _COLOURS[place % len(_COLOURS)]
        for piece in _pieces(one.points):
            way = _way(piece, lines[-1], frame)
            if panel.is_stacked:
                under = dict(below)
                back = _way([(at, under.get(at, 0.0)) for at, _ in reversed(piece)], lines[-1], frame)
                parts.append(f'<path d="M{way} L{back} Z" fill="{colour}" opacity="0.35"/>')
            parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return parts + _legend([one.name for one in ordered], frame)


def _stacked(series: Sequence[Named]) -> list[tuple[Named, tuple[tuple[float, float], ...]]]:
    """Each upon those before it, and what it lies upon."""
    sums: dict[float, float] = {}
    found = []
    for one in series:
        below = tuple((at, sums.get(at, 0.0)) for at, _ in one.points)
        for at, value in one.points:
            sums[at] = sums.get(at, 0.0) + value
        found.append((Named(one.name, tuple((at, sums[at]) for at, _ in one.points)), below))
    return found


def _heatmap(series: Sequence[Named], frame: Frame) -> list[str]:
    """How many answers took how long: each column a time, each row a bucket of a histogram, the darker the more."""
    buckets = sorted(((float(one.name), dict(one.points)) for one in series), key=lambda pair: pair[0])
    times = sorted({at for _, points in buckets for at in points})
    counts: list[dict[float, float]] = []
    below: dict[float, float] = {}
    for _, points in buckets:
        counts.append({at: max(0.0, points.get(at, 0.0) - below.get(at, 0.0)) for at in times})
        below = points
    # From the first row with anything in it to the last: rows that are always empty tell nothing.
    used = [row for row, found in enumerate(counts) if any(found.values())]
    if not used:
        return _axes([(0.0, "0")], 1.0, frame)
    rows = range(used[0], used[-1] + 1)
    most = max(max(counts[row].values()) for row in rows)
    step_s = min((later - earlier for earlier, later in pairwise(times)), default=frame.end_s - frame.start_s)
    tall, wide = frame.height / len(rows), frame.width * step_s / (frame.end_s - frame.start_s)
    cells, labels = [], []
    for place, row in enumerate(rows):
        y = frame.y + frame.height - (place + 1) * tall
        labels.append((place + 1.0, "more" if buckets[row][0] == float("inf") else shown(buckets[row][0], "s")))
        for shade, first, last in _runs([(at, _shade(counts[row].get(at, 0.0), most)) for at in times]):
            # A rate at a time is of what came before it.
            left, right = max(frame.x, _x(first, frame) - wide), _x(last, frame)
            where = f'x="{left:.1f}" y="{y:.1f}" width="{right - left + 0.3:.1f}" height="{tall:.1f}"'
            cells.append(f'<rect {where} fill="{_HEAT[shade]}"/>')
    every = max(1, len(labels) // 6)
    legend = text(
        frame.x, frame.y + frame.height + 34, "a row is the answers up to its time; the darker the more", size=_SMALL
    )
    return [*cells, *_axes(labels[every - 1 :: every], float(len(rows)), frame), legend]


def _shade(count: float, most: float) -> int | None:
    """By its root: few slow answers among many quick ones have to be seen."""
    return min(len(_HEAT) - 1, int(len(_HEAT) * math.sqrt(count / most))) if count else None


def _runs(shades: Sequence[tuple[float, int | None]]) -> list[tuple[int, float, float]]:
    """Shade, first and last time of each stretch that has one: a cell for each would make a large file."""
    found = []
    for shade, group in groupby(shades, key=lambda pair: pair[1]):
        times = [at for at, _ in group]
        if shade is not None:
            found.append((shade, times[0], times[-1]))
    return found


def _axes(lines: Sequence[tuple[float, str]], limit: float, frame: Frame) -> list[str]:
    parts = []
    right, base = frame.x + frame.width, frame.y + frame.height
    for value, said in lines:
        y = base - frame.height * value / limit
        parts.append(f'<line x1="{frame.x:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e9ecef"/>')
        parts.append(text(frame.x - 6, y + 4, said, anchor="end", size=_SMALL))
    length_s = frame.end_s - frame.start_s
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        said = f"{int(length_s * share) // 60}:{int(length_s * share) % 60:02d}"
        parts.append(text(frame.x + frame.width * share, base + 15, said, anchor="middle", size=_SMALL))
    return parts


def _legend(names: Sequence[str], frame: Frame) -> list[str]:
    """As many names as the line takes, and how many more there are."""
    parts, x, y = [], frame.x, frame.y + frame.height + 34
    for place, name in enumerate(names):
        if not name:
            continue
        left = len(names) - place
        needed = 14 + _LETTER * len(name) + (0 if left == 1 else 60)
        if x + needed > frame.x + frame.width and place:
            parts.append(text(x, y, f"and {left} more", size=_SMALL))
            break
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{colour}"/>')
        parts.append(text(x + 14, y, escape(name), size=_SMALL))
        x += 28 + _LETTER * len(name)
    return parts


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Parted where values are missing: no line is drawn over a gap."""
    steps = [later[0] - earlier[0] for earlier, later in pairwise(points)]
    usual = min(steps, default=0.0)
    pieces = [[points[0]]]
    for point, step in zip(points[1:], steps, strict=True):
        if step > 1.5 * usual:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _way(points: Sequence[tuple[float, float]], limit: float, frame: Frame) -> str:
    base = frame.y + frame.height
    return " ".join(f"{_x(at, frame):.1f},{base - frame.height * value / limit:.1f}" for at, value in points)


def _x(at_s: float, frame: Frame) -> float:
    return frame.x + frame.width * (at_s - frame.start_s) / (frame.end_s - frame.start_s)


def named(legend: str, series: Sequence[Series]) -> list[Named]:
    return [Named(name_of(legend, one.labels), one.points) for one in series]
