"""The scale to model a target on; the limits of its values are those of the family."""

from dataclasses import dataclass

import numpy as np

from models._indicators.bounds import Bounds, bounds_of, is_percentage
from models.imputation.spec import Floats

__all__ = ["Bounds", "Scale", "bounds_of", "is_percentage", "scale_of"]

SKEWED = 10.0


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


AS_IT_IS = Scale(None)


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
