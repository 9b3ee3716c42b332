"""Violations against executor-minutes, a panel for each setting and phase."""

from collections.abc import Sequence
from typing import Protocol
from xml.sax.saxutils import escape

from benchmarks.svg import svg, text

_WIDE, _HIGH, _LEFT, _TOP, _LEGEND = 400, 260, 50, 30, 60
# Colours that people with any colour vision tell apart (Okabe and Ito, 2008); policies that are not named are grey.
_COLOURS = {
    "ours": "#009e73",
    "Ellis": "#d55e00",
    "oracle": "#0072b2",
    "best constant": "#56b4e9",
    "static, our choice": "#000000",
    "static, Bell's choice": "#cc79a7",
    "dynamic allocation": "#e69f00",
}
_OTHERS = "#868e96"


class Figure(Protocol):
    """What is drawn."""

    @property
    def setting(self) -> str: ...
    @property
    def phase(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def violations(self) -> float: ...
    @property
    def executor_minutes(self) -> float: ...


def picture(table: Sequence[Figure]) -> str:
    """An SVG; further to the lower left is better."""
    panels = list(dict.fromkeys((row.setting, row.phase) for row in table))
    most = max(row.executor_minutes for row in table)
    parts = []
    for at, (setting, phase) in enumerate(panels):
        x, y = (at % 2) * _WIDE, _TOP + (at // 2) * (_HIGH + 30)
        rows = [row for row in table if (row.setting, row.phase) == (setting, phase)]
        parts += _panel(x, y, f"setting {setting}, {phase}", rows, 1.1 * most)
    height = _TOP + (len(panels) + 1) // 2 * (_HIGH + 30)
    parts += _legend(height + 10, list(dict.fromkeys(row.policy for row in table)))
    return svg(2 * _WIDE, height + _LEGEND, "Missed targets and executors: lower left is better", parts)


def _legend(y: float, policies: Sequence[str]) -> list[str]:
    """Four to a line."""
    parts = []
    for at, policy in enumerate(policies):
        left, top = _LEFT + at % 4 * 185, y + at // 4 * 20
        colour = _COLOURS.get(policy, _OTHERS)
        parts.append(f'<rect x="{left}" y="{top - 9}" width="10" height="10" rx="5" fill="{colour}"/>')
        parts.append(text(left + 16, top, policy, "bold" if policy == "ours" else "normal"))
    return parts


def _panel(x: float, y: float, title: str, rows: Sequence[Figure], most: float) -> list[str]:
    width, height = _WIDE - _LEFT - 30, _HIGH - 50
    left, bottom = x + _LEFT, y + 20 + height
    parts = [text(left, y + 12, title, "bold")]
    parts.append(f'<path d="M{left} {y + 20} V{bottom} H{left + width}" fill="none" stroke="#868e96"/>')
    parts += [
        text(left + share / 100 * width, bottom + 15, f"{share} %", anchor="middle") for share in range(0, 101, 25)
    ]
    parts += [
        text(left - 6, bottom - minutes / most * height + 4, str(minutes), anchor="end")
        for minutes in range(0, int(most), 100)
    ]
    parts.append(text(left + width, bottom + 30, "runs that missed the target", anchor="end"))
    parts.append(text(left + 4, y + 30, "executor-minutes a run"))
    # What is compared is drawn last, and larger.
    for row in sorted(rows, key=lambda row: row.policy in ("ours", "Ellis")):
        at_x, at_y = left + row.violations * width, bottom - row.executor_minutes / most * height
        size = 6.5 if row.policy in ("ours", "Ellis") else 5
        colour = _COLOURS.get(row.policy, _OTHERS)
        parts.append(
            f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="{size}" fill="{colour}" stroke="#fff">'
            f"<title>{escape(row.policy)}</title></circle>"
        )
    return parts
