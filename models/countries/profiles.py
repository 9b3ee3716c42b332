"""The profile of each country: the indicators of one category in one year, scaled so that all weigh alike."""

from dataclasses import dataclass

import numpy as np

from models._clustering import standardise
from models._clustering.rows import Floats, Ints
from models._indicators import IndicatorSet
from models.countries.definitions import Scale


@dataclass(frozen=True, eq=False)
class Profiles:
    """Countries by indicators.

    Attributes:
        rows: (n,) indices of countries that have at least one of the indicators, ascending.
        columns: (m,) indices of indicators that at least two countries have and that vary.
        z: (n, m) scaled to mean 0 and variance 1 over the countries that have the indicator; 0 where not observed.
        seen: (n, m) 1.0 where observed, else 0.0.
    """

    rows: Ints
    columns: Ints
    z: Floats
    seen: Floats


def profiles(data: IndicatorSet, columns: Ints, year: int, scale: Scale, *, sids_only: bool) -> Profiles:
    """The scaled profiles over `columns`, indices of indicators; either side may come out empty."""
    among = np.flatnonzero(data.sids) if sids_only else np.arange(len(data.countries))
    values = data.year(year)[np.ix_(among, columns)]
    z, seen, varies = standardise(_ranks(values) if scale is Scale.rank else values)
    z, seen = z[:, varies], seen[:, varies]
    known = seen.any(axis=1)
    return Profiles(among[known], columns[varies], z[known], seen[known])


def _ranks(values: Floats) -> Floats:
    """Ranks within each column from 1, equal values the mean of theirs; gaps stay NaN."""
    ranks = np.full_like(values, np.nan)
    for column, ranked in zip(values.T, ranks.T, strict=True):
        seen = np.isfinite(column)
        _, place, count = np.unique(column[seen], return_inverse=True, return_counts=True)
        ranked[seen] = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
