"""Intervals of predicted times: from a deviation of the logarithm, or from the errors of past predictions (conformal).

Vovk, Gammerman & Shafer, "Algorithmic Learning in a Random World", Springer 2005: of n past errors and a new one none
is special, so that the new one is among the k smallest with probability k / (n + 1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.scaleout.records import Forecast

Floats = NDArray[np.float64]

# What share of the run times lies between, and how much of it lies above.
SHARES = (0.80, 0.90)
_QUANTILES = (1.2815515655446004, 1.6448536269514722)
# The square of a factor of a thousand, so that no interval is without end.
_WIDEST = 13.8


@dataclass(frozen=True)
class Spread:
    """Where 80 and 90 % of the errors ln(true / predicted) lie, for a prediction of scale 1.

    Attributes
    ----------
    low, high : (2,) of the shares in `SHARES`.
    """

    low: tuple[float, float]
    high: tuple[float, float]

    @classmethod
    def normal(cls) -> "Spread":
        first, second = _QUANTILES
        return cls((-first, -second), (first, second))

    @classmethod
    def of(cls, errors: ArrayLike, independent: int | None = None) -> "Spread":
        """From past errors (n,), each divided by its scale; both tails by their own, so that skew is kept.

        Where there are too few errors for a share, the largest is doubled: nothing better is known.

        Parameters
        ----------
        independent : how many of the errors do not hang together: the number of runs, say, of which each has many.
        """
        ordered = np.sort(np.asarray(errors, float))
        if not ordered.size:
            return cls.normal()
        count = independent or ordered.size
        within = [(1.0 + share) / 2.0 * (1.0 + 1.0 / count) for share in SHARES]
        high = [_upper(ordered, share) for share in within]
        low = [-_upper(-ordered[::-1], share) for share in within]
        return cls((min(low[0], 0.0), min(*low, 0.0)), (max(high[0], 0.0), max(*high, 0.0)))

    def forecasts(self, logs: ArrayLike, scales: ArrayLike, model: str) -> list[Forecast]:
        """Of times whose logarithms' medians are `logs` (m,), with errors in `scales` (m,) or one for all."""
        medians, wide = np.broadcast_arrays(np.asarray(logs, float), np.asarray(scales, float))
        found = []
        for median, scale in zip(np.atleast_1d(medians), np.atleast_1d(wide), strict=True):
            ends = [np.exp(median + np.clip(end * scale, -_WIDEST, _WIDEST)) for end in (*self.low, *self.high)]
            low80, low90, high80, high90 = (float(end) for end in ends)
            found.append(Forecast(float(np.exp(median)), low80, high80, low90, high90, model))
        return found


def _upper(ordered: Floats, share: float) -> float:
    # What rounding makes of a whole number must not count as more.
    rank = int(np.ceil(share * ordered.size - 1e-9))
    return float(ordered[rank - 1] if rank <= ordered.size else 2.0 * abs(ordered[-1]))
