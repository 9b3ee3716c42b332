"""Violations against executor-minutes, a panel for each setting and phase."""

from collections.abc import Sequence
from typing import Protocol

from benchmarks.svg import svg, text

_WIDE, _HIGH, _LEFT, _TOP = 400, 260, 50, 30
_LETTER, _LINE = 6.5, 12
_COLOURS = {
    "ours": "#2f9e44",
    "Ellis": "#e03131",
    "oracle": "#1971c2",
}


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
    return svg(2 * _WIDE, height, "Missed targets and executors: lower left is better", parts)


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
    taken: list[tuple[float, float, float]] = []
    for row in rows:
        at_x, at_y = left + row.violations * width, bottom - row.executor_minutes / most * height
        colour = _COLOURS.get(row.policy, "#868e96")
        parts.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="5" fill="{colour}"/>')
        right = row.violations < 0.6
        begin = at_x + 8 if right else at_x - 8 - _LETTER * len(row.policy)
        finish, at = begin + _LETTER * len(row.policy), at_y + 4
        # Labels lie below each other where they would lie on each other.
        while any(abs(at - y) < _LINE and begin < last and first < finish for first, last, y in taken):
            at += _LINE
        taken.append((begin, finish, at))
        parts.append(text(at_x + (8 if right else -8), at, row.policy, anchor="start" if right else "end"))
    return parts
