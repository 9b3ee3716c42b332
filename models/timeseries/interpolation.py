"""The methods of pandas' `Series.interpolate`, to the same values, straight from SciPy.

pandas takes a third of a second to import and a millisecond a series; `auto` tries hundreds of series a request.
"""

import warnings
from typing import Literal

import numpy as np

from models.timeseries.spec import Course, Direction, Floats, Method, SeriesError, fillable

# The orders that a spline of SciPy's FITPACK may have.
_FITPACK: tuple[Literal[1, 2, 3, 4, 5], ...] = (1, 2, 3, 4, 5)
MAX_SPLINE_ORDER = _FITPACK[-1]

# What pandas continues beyond the first and last observation; the others leave it empty.
CONTINUED = frozenset({Method.linear, Method.spline, Method.pchip, Method.cubicspline})

_ORDERS = {Method.quadratic: 2, Method.cubic: 3}


def least_points(method: Method, order: int | None) -> int:
    """Observations without which `method` cannot be computed; two are always asked for."""
    if method in (Method.spline, Method.polynomial):
        return max(2, (order or 0) + 1)
    return max(2, _ORDERS.get(method, 1) + 1)


def check_points(method: Method, order: int | None, n_points: int) -> None:
    """Raises SeriesError where the observations do not suffice, or the order is none that the method has."""
    if method in (Method.spline, Method.polynomial) and order is None:
        raise SeriesError("order_missing", f"needed with {method.name}: send the order, from 1", "d")
    if method is Method.spline and not 1 <= (order or 0) <= MAX_SPLINE_ORDER:
        raise SeriesError("order_unknown", f"a spline has an order of 1 to {MAX_SPLINE_ORDER}", "d")
    least = least_points(method, order)
    if n_points >= least:
        return
    if method in (Method.spline, Method.polynomial) and n_points >= 2:
        most = min(n_points - 1, MAX_SPLINE_ORDER if method is Method.spline else n_points - 1)
        raise SeriesError(
            "too_few_points",
            f"order {order} needs {least} observations and there are {n_points}; send 1 to {most}",
            "d",
        )
    what = f"{method.name} needs {least} observations and there are {n_points}"
    if n_points >= 2:
        raise SeriesError("too_few_points", f"{what}; send linear or pchip", "method")
    raise SeriesError("too_few_points", f"{what}; GET countries lists the countries with enough", "country")


def interpolate(course: Course, method: Method, order: int | None, direction: Direction) -> Floats:
    """What `Series(values, index=years).interpolate(method, order=order, limit_direction=direction)` has: (n,).

    Observed years keep their value; NaN where the method has none (before the first observation unless `direction`
    goes backward, beyond the ends with a method that is not `CONTINUED`). As in pandas, `linear` counts columns, not
    years, and holds the last value beyond an end; `pchip`, `cubicspline` and `spline` extrapolate there.

    Raises:
        SeriesError: too few observations for the method.
    """
    seen = course.seen
    check_points(method, order, int(seen.sum()))
    asked = fillable(seen, direction)
    filled = course.values.copy()
    if asked.any():
        x = np.arange(len(seen)) if method is Method.linear else course.years
        points = x.astype(np.float64)
        filled[asked] = curve(points[seen], course.values[seen], points[asked], method, order)
    return filled


def curve(x: Floats, y: Floats, at: Floats, method: Method, order: int | None = None) -> Floats:
    """The curve of `method` through (x, y), read at `at` (m,); NaN outside of x unless the method is continued.

    Args:
        x: (n,) ascending, n at least `least_points(method, order)`; y: (n,) or, for k curves at once, (n, k).

    Returns:
        (m,) or (m, k)
    """
    from scipy import interpolate as scipy

    if method is Method.linear:
        return _line(x, y, np.clip(at, x[0], x[-1]))
    if method is Method.pchip:
        return np.asarray(scipy.PchipInterpolator(x, y)(at))
    if method is Method.cubicspline:
        return np.asarray(scipy.CubicSpline(x, y)(at))
    if method is Method.spline:
        with warnings.catch_warnings():
            # Its smoothing may not reach the default target; pandas keeps what it has then, too.
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(scipy.UnivariateSpline(x, y, k=_FITPACK[(order or 0) - 1])(at))
    inside = (at >= x[0]) & (at <= x[-1])
    found = np.full((len(at), *y.shape[1:]), np.nan)
    found[inside] = _within(x, y, at[inside], method, order)
    return found


def _line(x: Floats, y: Floats, at: Floats) -> Floats:
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    share = share.reshape(-1, *[1] * (y.ndim - 1))
    line: Floats = y[right - 1] + share * (y[right] - y[right - 1])
    return line


def _within(x: Floats, y: Floats, at: Floats, method: Method, order: int | None) -> Floats:
    from scipy import interpolate as scipy

    if method in (Method.slinear, Method.piecewise_polynomial):
        return _line(x, y, at)
    if method is Method.zero:
        return y[np.searchsorted(x, at, side="right") - 1]
    if method is Method.nearest:
        # Half-way the earlier one counts, as in SciPy's interp1d.
        return y[np.searchsorted((x[1:] + x[:-1]) / 2, at, side="left")]
    if method is Method.akima:
        return np.asarray(scipy.Akima1DInterpolator(x, y)(at))
    return np.asarray(scipy.make_interp_spline(x, y, k=_ORDERS.get(method, order or 0))(at))
