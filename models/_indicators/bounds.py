"""What values an indicator can take: its physical limits and the largest believable size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEYOND = 10.0


def is_percentage(unit: str) -> bool:
    """Whether a unit names a share of 100 or a 0-100 scale ('annual %' growth is none)."""
    plain = unit.strip().lower()
    return plain.startswith(("%", "percent", "scale 0-100", "scale 0 - 100")) and "change" not in plain


@dataclass(frozen=True)
class Bounds:
    """Closed range in the indicator's units.

    Parameters
    ----------
    cap : the largest believable size. It is approached and not cut at, so that countries whose estimates lie beyond it
        keep their order and do not share one value.
    """

    low: float
    high: float
    cap: float = np.inf

    def clip(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """`values` within the range; those of less than half the cap are left as they are."""
        if np.isfinite(self.cap) and self.cap > 0:
            half = self.cap / 2
            beyond = np.maximum(np.abs(values) / half - 1, 0.0)
            # Of slope 1 where it begins, and never quite at the cap.
            near = np.copysign(self.cap - half / (1 + beyond), values)
            values = np.where(beyond > 0, near, values)
        return np.clip(values, self.low, self.high)


def bounds_of(series: NDArray[np.float64], group: NDArray[np.bool_], unit: str) -> Bounds:
    """Limits for what is estimated about a group of countries (small island states, or the rest).

    Percentages stay within 0..100 and non-negative indicators stay non-negative unless any observation breaks that
    rule; nothing goes beyond ten times the largest size seen in a comparable country: another of the group where five
    or more were ever observed, else any country.

    Args:
        series: (n_years, n_countries) all observations of the indicator, NaN missing; at least one is finite.
        group: (n_countries,)
    """
    seen = series[np.isfinite(series)]
    near = series[:, group][np.isfinite(series[:, group])]
    comparable = near if np.isfinite(series[:, group]).any(axis=0).sum() >= 5 and np.any(near != 0) else seen
    cap = BEYOND * float(np.abs(comparable).max())
    low = 0.0 if seen.min() >= 0 else -cap
    high = cap if seen.max() > 0 else 0.0
    if is_percentage(unit) and seen.min() >= 0 and seen.max() <= 100:
        high = min(high, 100.0)
    return Bounds(low, high, cap)
