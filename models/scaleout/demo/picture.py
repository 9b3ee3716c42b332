"""A what-if curve as SVG. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 48
_TICKS = 5


def svg(answer: Mapping[str, Any], title: str, target_s: float | None = None) -> str:
    """Median, 80 and 90 % intervals by scale-out; the recommended one is marked. Legible on light and dark pages.

    Parameters
    ----------
    answer : of `POST /scaleout/predict`, whose curve has points.
    """
    curve: Sequence[Mapping[str, Any]] = answer["curve"]
    first, last = int(curve[0]["scale_out"]), int(curve[-1]["scale_out"])
    longest = float(1.08 * max(max(point["high90_s"] for point in curve), target_s or 0.0))

    def x(scale_out: float) -> float:
        share = 0.5 if last == first else (scale_out - first) / (last - first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(seconds: float) -> float:
        return _HEIGHT - _BOTTOM - seconds / longest * (_HEIGHT - _TOP - _BOTTOM)

    def band(low: str, high: str, opacity: float) -> str:
        points = [(x(p["scale_out"]), y(p[high])) for p in curve] + [
            (x(p["scale_out"]), y(p[low])) for p in reversed(curve)
        ]
        return f'<polygon points="{_points(points)}" fill="#2a78c8" opacity="{opacity}"/>'

    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>', _text(_LEFT, 24, title, size=15)]
    for tick in range(_TICKS + 1):
        seconds = longest * tick / _TICKS
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}" stroke="#ddd"/>'
        )
        parts.append(_text(_LEFT - 8, y(seconds) + 4, f"{seconds:.0f} s", anchor="end"))
    parts += [band("low90_s", "high90_s", 0.15), band("low80_s", "high80_s", 0.25)]
    medians = [(x(point["scale_out"]), y(point["median_s"])) for point in curve]
    parts.append(f'<polyline points="{_points(medians)}" fill="none" stroke="#1b5490" stroke-width="2"/>')
    for point in curve:
        is_chosen = point["scale_out"] == answer["recommendation"]["scale_out"]
        at = f'cx="{x(point["scale_out"]):.1f}" cy="{y(point["median_s"]):.1f}"'
        look = 'r="7" fill="#d9730d"' if is_chosen else 'r="3.5" fill="#1b5490"'
        parts.append(f"<circle {at} {look}/>")
    step = max(1, (last - first) // 12)
    parts += [_text(x(at), _HEIGHT - _BOTTOM + 18, str(at), anchor="middle") for at in range(first, last + 1, step)]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "executors", anchor="middle"))
    if target_s is not None:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(target_s):.1f}" y2="{y(target_s):.1f}" '
            'stroke="#b3261e" stroke-dasharray="6 4"/>'
        )
        parts.append(_text(_WIDTH - _RIGHT, y(target_s) - 6, f"target {target_s:.0f} s", anchor="end"))
    described = f"{title}: run time by number of executors, with the intervals of 80 and 90 % of runs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif"><title>{escape(described)}</title>{"".join(parts)}</svg>\n'
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, what: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#333">{escape(what)}</text>'
