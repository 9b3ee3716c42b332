"""Two pictures of imputation's accuracy, as SVG written by hand: no plotting library is needed for bars and dots."""

from collections.abc import Sequence

import numpy as np

from benchmarks.imputation_accuracy_tables import COVERAGE, COVERAGE_OF_FIFTH, OURS, Group
from benchmarks.svg import svg, text

_COLOURS = {
    OURS: "#0b7285", "linear": "#868e96", "train mean": "#ced4da", "plain": "#f08c00", "MICE forest": "#9775fa",
}  # fmt: skip
_SHADES = ("#0b7285", "#3bc9db", "#5c940d", "#a9e34b")


def errors(found: Sequence[Group]) -> str:
    """Bars: mean error by method, a row of bars for each data set and protocol."""
    parts, y = [], 30
    largest = max(float(error.mean()) for group in found for error in group.errors.values())
    for group in found:
        parts.append(text(10, y, f"{group.data}, {group.protocol}", "bold"))
        y += 8
        for who, error in group.errors.items():
            mean = float(error.mean())
            width = 420 * mean / largest
            parts.append(text(110, y + 13, who, anchor="end"))
            parts.append(f'<rect x="118" y="{y + 2}" width="{width:.1f}" height="14" fill="{_COLOURS[who]}"/>')
            parts.append(text(124 + width, y + 13, f"{mean:.3f}"))
            y += 19
        y += 26
    return svg(620, y, "Mean error of hidden values, in standard deviations of the indicator", parts)


def coverage(found: Sequence[Group]) -> str:
    """Dots: coverage by fifth of the targets by missingness, over the bands to be attained."""
    left, top, width, height, low = 60, 40, 440, 240, 0.7
    parts = []

    def at(share: float) -> float:
        return top + height * (1 - (share - low) / (1 - low))

    for (start, end), colour in ((COVERAGE_OF_FIFTH, "#f1f3f5"), (COVERAGE, "#d3f9d8")):
        parts.append(
            f'<rect x="{left}" y="{at(end):.1f}" width="{width}" height="{at(start) - at(end):.1f}" fill="{colour}"/>'
        )
    steps = np.arange(low, 1.001, 0.05)
    parts += [text(left - 8, at(share) + 4, f"{share:.0%}", anchor="end") for share in steps]
    middles = [left + width * (k + 0.5) / 5 for k in range(5)]
    parts += [text(x, top + height + 18, f"fifth {k + 1}", anchor="middle") for k, x in enumerate(middles)]
    for number, group in enumerate(found):
        points = [(x, at(max(share, low))) for x, share in zip(middles, group.by_fifth, strict=False)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = _SHADES[number % len(_SHADES)]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        y = top + 20 + 20 * number
        parts.append(f'<circle cx="{left + width + 16}" cy="{y - 4}" r="4" fill="{colour}"/>')
        parts.append(text(left + width + 26, y, f"{group.data}, {group.protocol}"))
    return svg(
        660, top + height + 30, "Coverage of the 90% intervals, from the least missing targets to the most", parts
    )
