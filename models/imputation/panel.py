"""What all years say of the countries in one year: every indicator, also where the year itself misses it.

Along a series the year is interpolated, and held beyond the last observation. Indicators are brought to one scale: a
signed logarithm where they span orders of magnitude, so that ratios (per head, per area) become differences, then
mean 0 and standard deviation 1. What no year has is what a factor model expects of the country from all it does have,
by maximum likelihood with gaps (probabilistic principal components, Tipping and Bishop 1999; a noise for each
column): the less is known of a country, the closer it stays to the average one.
"""

from dataclasses import dataclass

import numpy as np

from models.imputation.clones import Screen
from models.imputation.spec import Floats, Indicators, Ints, Mask

FACTORS = 15
ROUNDS = 10
LEAST_COUNTRIES = 8
SKEWED = 10.0
LIMIT = 5.0
_PRIOR = 1.0


@dataclass(frozen=True)
class Panel:
    """One year of a data set.

    Attributes:
        columns: (p,) indicator indices, ascending.
        at_year: (n_countries, p) in the indicators' units, NaN where no year has it.
        standard: (n_countries, p) on the common scale, 0 where no year has it; seen: (n_countries, p).
        loadings: (p, k) of the factors; noise: (p,) variance that they leave.
        moves: (n_countries, p) how far the year lies off the line between its neighbours, see `moves_of`.
        told, pulls: what all that is seen of each country says of its factors, see `_told`.
        here, near: which indicators repeat one another in the year (of all), and over the nearest years (of `columns`).
    """

    columns: Ints
    at_year: Floats
    standard: Floats
    seen: Floats
    loadings: Floats
    noise: Floats
    moves: Floats
    told: Floats
    pulls: Floats
    here: Screen
    near: Screen

    @property
    def nbytes(self) -> int:
        parts = (self.at_year, self.standard, self.seen, self.loadings, self.noise, self.moves, self.told, self.pulls)
        return sum(part.nbytes for part in parts) + self.here.nbytes + self.near.nbytes

    @classmethod
    def build(cls, data: Indicators, year: int) -> "Panel":
        """About a tenth of a second for hundreds of indicators; done once for a year."""
        values, years, at = np.asarray(data.values), np.array(data.years), list(data.years).index(year)
        seen_ever = np.isfinite(values)
        at_year = interpolated(values, at, years, seen_ever)
        columns = np.flatnonzero(np.isfinite(at_year).sum(axis=0) >= LEAST_COUNTRIES)
        at_year = at_year[:, columns]
        standard = standardised(at_year)
        seen = np.isfinite(standard).astype(np.float64)
        standard = np.where(seen > 0, standard, 0.0)
        loadings, noise = _factors(standard, seen)
        now = np.where(seen_ever[at], values[at], np.nan)
        seen_ever[at] = False
        moves = moves_of(now[:, columns], interpolated(values, at, years, seen_ever)[:, columns])
        told, pulls = _told(standard, seen, loadings, noise)
        return cls(
            columns,
            at_year,
            standard,
            seen,
            loadings,
            noise,
            moves,
            told,
            pulls,
            Screen.of(now),
            Screen.of(at_year),
        )

    def complete(self, without: Ints, wanted: Ints | None = None) -> Floats:
        """(n_countries, q) on the common scale without gaps: of the columns at the positions `wanted`, else of all but
        those in `without`.

        The columns left out do not tell of the countries either.
        """
        if wanted is None:
            wanted = np.setdiff1d(np.arange(len(self.columns)), without)
        filled: Floats = self.standard[:, wanted]
        rows, gaps = np.nonzero(self.seen[:, wanted] == 0)
        if not len(rows):
            return filled
        countries, member = np.unique(rows, return_inverse=True)
        told, pulls = self.told[countries], self.pulls[countries]
        if len(without):
            part = np.ix_(countries, without)
            out = _told(self.standard[part], self.seen[part], self.loadings[without], self.noise[without])
            told, pulls = told - out[0], pulls - out[1]
        expected, _ = _scores(told, pulls)
        filled[rows, gaps] = (expected @ self.loadings[wanted].T)[member, gaps]
        return filled


def interpolated(values: Floats, at: int, years: Ints, seen: Mask) -> Floats:
    """The year at position `at` of (n_years, n_countries, p) from the nearest observations on both sides: NaN or value.

    An observation of the year itself stands, unless `seen` (as `values`), what to look at, denies it.
    """
    n_years = len(years)
    before, after = seen[at::-1], seen[at:]
    has_l, has_r = before.any(axis=0), after.any(axis=0)
    l_at = np.where(has_l, at - before.argmax(axis=0), 0)
    r_at = np.where(has_r, at + after.argmax(axis=0), n_years - 1)
    l_value = np.take_along_axis(values, l_at[None], axis=0)[0]
    r_value = np.take_along_axis(values, r_at[None], axis=0)[0]
    l_gap, r_gap = years[at] - years[l_at], years[r_at] - years[at]
    width = np.maximum(l_gap + r_gap, 1)
    with np.errstate(invalid="ignore"):
        line = np.where(l_gap == 0, l_value, (r_gap * l_value + l_gap * r_value) / width)
    found: Floats = np.where(has_l & has_r, line, np.where(has_l, l_value, np.where(has_r, r_value, np.nan)))
    return found


def standardised(values: Floats) -> Floats:
    """Each column of (n, p) to mean 0 and deviation 1, after sign(v) log1p(|v| / unit) where it spans orders."""
    seen = np.isfinite(values)
    size = np.abs(np.where(seen, values, 0.0))
    largest = size.max(axis=0, initial=0.0)
    ascending = np.sort(np.where(seen, size, np.inf), axis=0)
    column, last = np.arange(values.shape[1]), len(values) - 1
    n_seen, n_positive = seen.sum(axis=0), (size > 0).sum(axis=0)
    middle = (ascending[(n_seen - 1).clip(0) // 2, column] + ascending[(n_seen // 2).clip(0, last), column]) / 2
    place = n_seen - n_positive + (0.05 * (n_positive - 1)).clip(0).astype(np.int64)
    twentieth = np.where(n_positive > 0, ascending[place.clip(0, last), column], np.inf)
    skewed = (middle * SKEWED < largest) & np.isfinite(twentieth)
    unit = np.where(skewed, np.maximum(twentieth, largest * 1e-12), 1.0)
    unit = np.where(unit > 0, unit, 1.0)
    scaled = np.where(seen, np.where(skewed, np.sign(values) * np.log1p(size / unit), values), 0.0)
    # Relative to the largest, so that squares neither vanish nor overflow.
    scaled = scaled / np.maximum(np.abs(scaled).max(axis=0, initial=0.0), np.finfo(float).tiny)
    count = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, scaled - scaled.sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred * centred).sum(axis=0) / count)
    standard = np.clip(centred / np.where(spread > 1e-9, spread, 1.0), -LIMIT, LIMIT)
    return np.where(seen, standard, np.nan)


def moves_of(now: Floats, line: Floats) -> Floats:
    """Off the line (n, p), on the scale of `standardised`, 0 where either is missing.

    In units of the column's usual move and of the country's: what counts is that many things moved together there.
    """
    both = standardised(np.vstack([now, line]))
    moved = both[: len(now)] - both[len(now) :]
    seen = np.isfinite(moved)
    moved = np.where(seen, moved, 0.0)
    usual = np.sqrt((moved**2).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
    moved = np.clip(moved / np.where(usual > 1e-9, usual, 1.0), -LIMIT, LIMIT)
    moved *= seen.sum(axis=0) >= LEAST_COUNTRIES
    restless = np.sqrt((moved**2).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))
    scaled: Floats = np.clip(moved / np.maximum(restless, 0.1)[:, None], -LIMIT, LIMIT)
    return scaled


def _factors(standard: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Loadings (p, k) and noise (p,) by expectation maximisation from the singular vectors of the zero-filled table."""
    n, p = standard.shape
    k = min(FACTORS, n // 4, p)
    if k < 1:
        return np.zeros((p, 0)), np.ones(p)
    start = standard / np.sqrt(np.maximum(seen.mean(axis=0), 1e-3))
    # Of the smaller Gram matrix, which is countries by countries.
    _, vectors = np.linalg.eigh(start @ start.T)
    loadings = (start.T @ vectors[:, ::-1][:, :k]) / np.sqrt(n)
    noise = np.full(p, 0.3)
    count = seen.sum(axis=0)
    power = (standard * standard).sum(axis=0)
    upper = np.triu_indices(k)
    twice = np.where(upper[0] == upper[1], 1.0, 2.0)
    for _ in range(ROUNDS):
        expected, covariance = _scores(*_told(standard, seen, loadings, noise))
        second = seen.T @ (expected[:, upper[0]] * expected[:, upper[1]] + covariance[:, *upper])
        common = standard.T @ expected
        loadings = np.linalg.solve(_symmetric(second, k) + _PRIOR * np.eye(k), common[:, :, None])[:, :, 0]
        off = power - 2.0 * (common * loadings).sum(axis=1)
        off += (loadings[:, upper[0]] * loadings[:, upper[1]] * second) @ twice
        noise = np.clip((off + 1.0) / (count + 3.0), 0.02, 1.5)
    return loadings, noise


def _told(standard: Floats, seen: Floats, loadings: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """What the columns seen say of each country's factors; sums over the columns, so that some can be taken off again.

    Returns:
        The precision they give (n, k (k + 1) / 2), upper triangle by rows, and where they pull to, weighted (n, k).
    """
    upper = np.triu_indices(loadings.shape[1])
    products = loadings[:, upper[0]] * loadings[:, upper[1]] / noise[:, None]
    return seen @ products, (standard / noise) @ loadings


def _scores(told: Floats, pulls: Floats) -> tuple[Floats, Floats]:
    """The factors' posterior means (n, k) and covariances (n, k, k) from `_told`."""
    k = pulls.shape[1]
    covariance = np.asarray(np.linalg.inv(_symmetric(told, k) + np.eye(k)), dtype=np.float64)
    expected: Floats = (covariance @ pulls[:, :, None])[:, :, 0]
    return expected, covariance


def _symmetric(packed: Floats, k: int) -> Floats:
    """(n, k (k + 1) / 2) upper triangles by rows to (n, k, k)."""
    place = np.empty((k, k), np.int64)
    upper = np.triu_indices(k)
    place[upper] = place.T[upper] = np.arange(len(upper[0]))
    return packed[:, place]
