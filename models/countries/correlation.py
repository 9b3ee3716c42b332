"""How a country's profile correlates with those of the others."""

from dataclasses import dataclass

import numpy as np

from models._clustering.rows import Floats, Ints
from models.countries.definitions import LEAST_SHARED

# Below this part of the sum of squares a deviation is rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True, eq=False)
class Correlations:
    """One country against the others; all by row of the profiles.

    Attributes:
        r: (n,) Pearson correlation; NaN for the country itself, and where it is not defined.
        shared: (n,) indicators that both have.
        constant: (n,) bool, one of the two does not vary over what they share.
        order: rows with a correlation, the largest first, equal ones in the order of the rows.
    """

    r: Floats
    shared: Ints
    constant: np.ndarray
    order: Ints


def default_min_shared(n_indicators: int) -> int:
    """Fewest shared indicators for a country that has `n_indicators`."""
    return max(n_indicators // 4, LEAST_SHARED)


def correlate(z: Floats, seen: Floats, at: int, min_shared: int) -> Correlations:
    """Pearson correlation of row `at` with each other row, over the columns that both have.

    Args:
        z, seen: (n, m) as in `Profiles`.
        min_shared: pairs with fewer have no correlation.
    """
    own = seen[at] > 0
    both = seen[:, own]
    shared = both.sum(axis=1).astype(np.int64)
    count = np.maximum(shared, 1)
    theirs, ours = z[:, own] * both, z[at, own] * both
    x, y = (part - both * (part.sum(axis=1) / count)[:, None] for part in (ours, theirs))
    (xx, before_x), (yy, before_y) = (
        (np.square(a).sum(axis=1), np.square(b).sum(axis=1)) for a, b in ((x, ours), (y, theirs))
    )
    constant = (xx <= _ROUNDING * before_x) | (yy <= _ROUNDING * before_y)
    scale = np.sqrt(np.where(constant, 1.0, xx)) * np.sqrt(np.where(constant, 1.0, yy))
    r = np.clip((x * y).sum(axis=1) / scale, -1.0, 1.0)
    r[constant | (shared < min_shared)] = np.nan
    r[at] = np.nan
    defined = np.flatnonzero(np.isfinite(r))
    return Correlations(r, shared, constant, defined[np.argsort(-r[defined], kind="stable")])
