"""How far series of an indicator move from one year to the next."""

import numpy as np

from models.timeseries.spec import Floats, Ints, Mask

# Observations that the other countries' steps count for.
PRIOR = 2.0
_LEAST = 5


def usual_variance(panel: Floats, years: Ints) -> Floats:
    """Variance of a year's change that is usual for series of each one's size, (n_countries,); 0 where none moves.

    Over the countries, the logarithm of the steps' variance is taken to be linear in that of the level, so that indices
    (no relation) and amounts of money (a proportion) are both met.

    Args:
        panel: (n_years, n_countries) NaN missing.
    """
    seen: Mask = np.isfinite(panel)
    count = seen.sum(axis=0)
    size = np.where(seen, np.abs(panel), 0.0).sum(axis=0) / np.maximum(count, 1)
    variance, n_steps = _step_variance(panel, years)
    moving: Mask = (n_steps > 0) & (variance > 0)
    return _usual(size, variance, moving, count > 0)


def expected_steps(series: Floats, years: Ints, usual: Floats) -> Floats:
    """Expected size of a year's change of each series, (k,): its own, drawn towards the usual; 0 where both are.

    Args:
        series: (n_years, k) NaN missing; usual: (k,) variances.
    """
    variance, n_steps = _step_variance(series, years)
    drawn = (PRIOR * usual + n_steps * variance) / (PRIOR + n_steps)
    return np.sqrt(np.where(usual > 0, drawn, variance))


def _step_variance(panel: Floats, years: Ints) -> tuple[Floats, Floats]:
    """Mean squared step per year of each series, and the number of steps, both (n_countries,)."""
    n_years, n = panel.shape
    total, n_steps = np.zeros(n), np.zeros(n)
    last, last_year = np.full(n, np.nan), np.zeros(n)
    for at in range(n_years):
        seen = np.isfinite(panel[at])
        both = seen & np.isfinite(last)
        apart = np.where(both, years[at] - last_year, 1)
        total += np.where(both, (panel[at] - last) ** 2 / apart, 0.0)
        n_steps += both
        last, last_year = np.where(seen, panel[at], last), np.where(seen, years[at], last_year)
    return total / np.maximum(n_steps, 1), n_steps


def _usual(size: Floats, variance: Floats, moving: Mask, seen: Mask) -> Floats:
    """The variance that is usual for series of such a size, (n,); 0 where no series moves."""
    if not moving.any():
        return np.zeros(len(size))
    positive = size[moving & (size > 0)]
    floor = 1e-6 * float(positive.max()) if len(positive) else 1.0
    x, y = np.log(np.maximum(size, floor)), np.log(np.where(moving, variance, 1.0))
    x_mean, y_mean = float(x[moving].mean()), float(y[moving].mean())
    slope = 0.0
    if moving.sum() >= _LEAST:
        off = x[moving] - x_mean
        # Between no relation and a proportion, drawn to no relation where sizes hardly differ.
        slope = float(np.clip((off * (y[moving] - y_mean)).sum() / ((off**2).sum() + 1.0), 0.0, 2.0))
    usual: Floats = np.exp(y_mean + slope * (x - x_mean))
    return np.where(seen, usual, 0.0)
