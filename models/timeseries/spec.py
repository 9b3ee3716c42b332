"""What can be asked of a series. Imports no SciPy and no pandas."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Method(Enum):
    """How missing years are filled. All but `auto` are those of pandas' `Series.interpolate`, by the same names."""

    auto = "Best for this series"
    linear = "Linear"
    nearest = "Nearest"
    zero = "Previous value"
    slinear = "Spline of order 1"
    quadratic = "Spline of order 2"
    cubic = "Spline of order 3"
    spline = "Smoothing spline of order d"
    polynomial = "Spline of order d"
    piecewise_polynomial = "Piecewise polynomial"
    pchip = "Monotone cubic (PCHIP)"
    akima = "Akima"
    cubicspline = "Cubic spline, continued at the ends"


class Direction(Enum):
    """Which missing years are filled: those after an observation, those before one, or all."""

    forward = "Forward"
    backward = "Backward"
    both = "Both"


class SeriesError(ValueError):
    """This series cannot be filled in this way.

    Attributes:
        code: kind of reason: no_observations, constant, too_few_points, no_gaps.
        message: what is wrong and what to send instead.
        field: which field of the request to change.
    """

    def __init__(self, code: str, message: str, field: str) -> None:
        super().__init__(code, message, field)
        self.code, self.message, self.field = code, message, field


@dataclass(frozen=True)
class Course:
    """A series: one indicator of one country.

    Attributes:
        years: (n,) ascending calendar years.
        values: (n,) NaN where missing.
    """

    years: Ints
    values: Floats

    @property
    def seen(self) -> Mask:
        """(n,) whether the year is observed."""
        return np.isfinite(self.values)


def fillable(seen: Mask, direction: Direction) -> Mask:
    """The missing years that `direction` asks for: (n,). Forward ones follow an observation, backward ones precede one.

    Args:
        seen: (n,) at least one is true.
    """
    after = np.logical_or.accumulate(seen)
    before = np.logical_or.accumulate(seen[::-1])[::-1]
    asked = {Direction.forward: after, Direction.backward: before, Direction.both: after | before}[direction]
    missing: Mask = asked & ~seen
    return missing


def between(seen: Mask) -> Mask:
    """The missing years with an observation on either side: (n,)."""
    inner: Mask = fillable(seen, Direction.forward) & fillable(seen, Direction.backward)
    return inner
