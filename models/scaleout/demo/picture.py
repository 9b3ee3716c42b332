"""A what-if curve as SVG. Pure."""

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 44, 96
_TICKS, _CLEAR = 5, 12
_BLUE, _DARK_BLUE, _ORANGE, _RED = "#2a78c8", "#1b5490", "#b85c00", "#b3261e"
# The darker part is in both.
_BANDS = (("90 % of runs", "low90_s", "high90_s", 0.15), ("80 % of runs", "low80_s", "high80_s", 0.25))
_CHARS_A_LINE, _LINES = 100, 3


def svg(answer: Mapping[str, Any], title: str, target_s: float | None = None, told: str = "") -> str:
    """Median, 80 and 90 % intervals by scale-out; the recommended one is marked. Legible on light and dark pages.

    Parameters
    ----------
    answer : of `POST /scaleout/predict`, whose curve has points.
    told : the recommendation in words; stands below.
    """
    curve: Sequence[Mapping[str, Any]] = answer["curve"]
    first, last = int(curve[0]["scale_out"]), int(curve[-1]["scale_out"])
    longest = float(1.08 * max(max(point["high90_s"] for point in curve), target_s or 0.0))

    def x(scale_out: float) -> float:
        share = 0.5 if last == first else (scale_out - first) / (last - first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(seconds: float) -> float:
        return _HEIGHT - _BOTTOM - seconds / longest * (_HEIGHT - _TOP - _BOTTOM)

    def band(name: str, low: str, high: str, opacity: float) -> str:
        points = [(x(p["scale_out"]), y(p[high])) for p in curve] + [
            (x(p["scale_out"]), y(p[low])) for p in reversed(curve)
        ]
        # One point alone has no area: a stroke shows it.
        look = f'fill="{_BLUE}" stroke="{_BLUE}" stroke-width="{10 if first == last else 0}" opacity="{opacity}"'
        return f'<polygon points="{_points(points)}" {look}><title>{name}</title></polygon>'

    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>', _text(_LEFT, 24, title, size=15)]
    step_s = _round_step(longest)
    for tick in range(int(longest / step_s) + 1):
        seconds = step_s * tick
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}" stroke="#ddd"/>'
        )
        parts.append(_text(_LEFT - 8, y(seconds) + 4, f"{seconds:g} s", anchor="end"))
    parts += [band(*one) for one in _BANDS]
    medians = [(x(point["scale_out"]), y(point["median_s"])) for point in curve]
    parts.append(f'<polyline points="{_points(medians)}" fill="none" stroke="{_DARK_BLUE}" stroke-width="2"/>')
    for point in curve:
        is_chosen = point["scale_out"] == answer["recommendation"]["scale_out"]
        at = f'cx="{x(point["scale_out"]):.1f}" cy="{y(point["median_s"]):.1f}"'
        look = f'r="7" fill="{_ORANGE}"' if is_chosen else f'r="3.5" fill="{_DARK_BLUE}"'
        parts.append(f"<circle {at} {look}/>")
        if is_chosen:
            side = "end" if x(point["scale_out"]) > _WIDTH / 2 else "start"
            text = f"take {point['scale_out']}"
            beside = -12 if side == "end" else 12
            at_y = y(point["median_s"])
            # Not on the line of the target.
            above = target_s is None or not 0 <= at_y - y(target_s) <= 2 * _CLEAR
            place = at_y - _CLEAR if above else at_y + _CLEAR + 8
            parts.append(_text(x(point["scale_out"]) + beside, place, text, anchor=side, bold=True))
    step = max(1, (last - first) // 12)
    parts += [_text(x(at), _HEIGHT - _BOTTOM + 18, str(at), anchor="middle") for at in range(first, last + 1, step)]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - _BOTTOM + 34, "executors", anchor="middle"))
    parts += _legend()
    wrapped = wrap(told, _CHARS_A_LINE, break_on_hyphens=False)[:_LINES]
    parts += [_text(_LEFT, _HEIGHT - 14 * (len(wrapped) - at), line) for at, line in enumerate(wrapped)]
    if target_s is not None:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(target_s):.1f}" y2="{y(target_s):.1f}" '
            f'stroke="{_RED}" stroke-dasharray="6 4"/>'
        )
        parts.append(_text(_LEFT + 8, y(target_s) + 16, f"target {target_s:.0f} s"))
    described = f"{title}: run time by number of executors, with the intervals of 80 and 90 % of runs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif"><title>{escape(described)}</title>{"".join(parts)}</svg>\n'
    )


def _round_step(longest: float) -> float:
    """Of the steps 1, 2, 5, 10, … the first with which there are no more than `_TICKS`."""
    power = 10.0 ** math.floor(math.log10(longest / _TICKS))
    return next(power * one for one in (1, 2, 5, 10) if power * one * _TICKS >= longest)


def _legend() -> list[str]:
    found = []
    for place, (name, _, _, _) in enumerate(reversed(_BANDS)):
        at = _WIDTH - _RIGHT - 120 * (place + 1)
        # The inner band lies on the outer one.
        for _, _, _, opacity in _BANDS[: len(_BANDS) - place]:
            found.append(f'<rect x="{at}" y="14" width="14" height="12" fill="{_BLUE}" opacity="{opacity}"/>')
        found.append(_text(at + 20, 24, name))
    return found


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, what: str, *, anchor: str = "start", size: int = 12, bold: bool = False) -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" fill="#333"' + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(what)}</text>'
