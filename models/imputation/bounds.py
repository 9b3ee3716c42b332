"""What values an indicator can take: physical limits, the scale to model it on, the largest believable size."""

from dataclasses import dataclass

import numpy as np

from models.imputation.spec import Floats, Mask

SKEWED = 10.0
BEYOND = 10.0


def is_percentage(unit: str) -> bool:
    """Whether a unit names a share of 100 or a 0-100 scale ('annual %' growth is none)."""
    plain = unit.strip().lower()
    return plain.startswith(("%", "percent", "scale 0-100", "scale 0 - 100")) and "change" not in plain


@dataclass(frozen=True)
class Bounds:
    """Closed range in the target's units."""

    low: float
    high: float

    def clip(self, values: Floats) -> Floats:
        return np.clip(values, self.low, self.high)


def bounds_of(series: Floats, sids: Mask, unit: str) -> Bounds:
    """Limits for the answers about small island states.

    Percentages stay within 0..100 and non-negative indicators stay non-negative unless any observation breaks that
    rule; nothing goes beyond ten times the largest size seen in a comparable country: another small island state
    where five or more were ever observed, else any country.

    Args:
        series: (n_years, n_countries) all observations of the indicator, NaN missing; at least one is finite.
        sids: (n_countries,)
    """
    seen = series[np.isfinite(series)]
    near = series[:, sids][np.isfinite(series[:, sids])]
    comparable = near if np.isfinite(series[:, sids]).any(axis=0).sum() >= 5 and np.any(near != 0) else seen
    cap = BEYOND * float(np.abs(comparable).max())
    low = 0.0 if seen.min() >= 0 else -cap
    high = cap if seen.max() > 0 else 0.0
    if is_percentage(unit) and seen.min() >= 0 and seen.max() <= 100:
        high = min(high, 100.0)
    return Bounds(low, high)


@dataclass(frozen=True)
class Scale:
    """A monotone map to the scale on which the target is modelled: itself, or sign(y) log1p(|y| / unit)."""

    unit: float | None

    def forward(self, values: Floats) -> Floats:
        if self.unit is None:
            return values
        return np.sign(values) * np.log1p(np.abs(values) / self.unit)

    def inverse(self, values: Floats) -> Floats:
        if self.unit is None:
            return values
        largest = 690.0 - np.log(max(self.unit, 1.0))
        back: Floats = np.sign(values) * np.expm1(np.minimum(np.abs(values), largest)) * self.unit
        return back


def scale_of(observed: Floats, unit: str) -> Scale:
    """Logarithmic for indicators that span orders of magnitude (populations, money), so that the largest countries
    do not decide alone what is predicted for small islands; percentages and the rest stay as they are.

    Args:
        observed: (n,) finite training values.
    """
    sizes = np.abs(observed[observed != 0])
    if is_percentage(unit) or not len(sizes) or np.median(np.abs(observed)) * SKEWED >= sizes.max():
        return Scale(None)
    return Scale(float(max(np.quantile(sizes, 0.05), sizes.max() * 1e-12)))
