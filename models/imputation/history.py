"""What a country's own other years say about the year in question.

Along a series the target is taken for a Brownian bridge: between two observations the best guess is the line, beyond
the last one it is that one, and the error grows with the distance to them. Level 2 then models the error in units of
its expected size. Countries whose year is known teach it how large errors are: their own year, and the years around it
as far as the asking countries miss them, are hidden first.
"""

from dataclasses import dataclass

import numpy as np

from models.imputation.bounds import AS_IT_IS, Scale
from models.imputation.spec import Floats, Ints, Mask
from models.imputation.weights import weighted_quantile

PRIOR = 3.0
SLOPE_YEARS = 5
NEAR_YEARS = 2.0
LIMIT = 5.0
RIDGE = np.array([10.0] * 4 + [30.0] * 3)
REPLICATES = 2
REPLICATES_OF_FEW = 3
FEW = 100
PATTERNS = 8
# In calibration: how fast lessons fade with the ratio of the gaps' lengths, and what those of the other kind count.
ALIKE = 0.5
OTHER_KIND = 0.3
_SNAP = np.array([0, 1, 2, 3, 4, 6, 6, 6, 9, 9, 9, 9, 9])


@dataclass(frozen=True)
class Baseline:
    """Per country (n,), on the modelling scale.

    Attributes:
        known: whether there is any observation to lean on.
        guess: interpolation, or the nearest observation where one side has none.
        spread: the expected size of its error, positive.
        drift: what the recent slope would add where one side has none, in units of the spread; 0 between observations.
        left, right: years to the nearest observation on each side, 0 for none.
        others: (n, 3) other guesses, as their distance from `guess` in units of the spread: the series' mean near the
            year, its mean over all years, the line between the second-nearest observations.
    """

    known: Mask
    guess: Floats
    spread: Floats
    drift: Floats
    left: Ints
    right: Ints
    others: Floats

    def features(self) -> Floats:
        """(n, 8) what level 2 may use beside the predictors."""
        return np.column_stack([self.guess, np.log(self.spread), self.drift, self.left, self.right, self.others])

    def directions(self) -> Floats:
        """(n, 7) in which the guess may be off in all countries alike.

        Along the drift, towards the other guesses, by a constant for each kind of gap (a year moves all together).
        """
        before, after = self.left > 0, self.right > 0
        kinds = np.column_stack([before & after, before & ~after, after & ~before]).astype(np.float64)
        return np.column_stack([np.clip(self.drift, -LIMIT, LIMIT), np.clip(self.others, -LIMIT, LIMIT), kinds])


def baseline(
    series: Floats, years: Ints, year: int, left: int = 1, right: int = 1, scale: Scale = AS_IT_IS
) -> Baseline:
    """From observations at least `left` years before `year` or `right` after it (0: none on that side).

    Args:
        series: (n_years, n_countries) on the modelling scale, NaN missing.
        years: (n_years,) calendar years, ascending.
        scale: the modelling scale; lines are drawn in the target's units, where the middle of a small and a large
            value is no small one.
    """
    allowed = np.zeros(len(years), bool)
    if left:
        allowed |= years <= year - left
    if right:
        allowed |= years >= year + right
    seen = np.isfinite(series) & allowed[:, None]
    values = np.where(seen, series, 0.0)
    index = np.arange(len(years))[:, None]
    before, after = (years < year)[:, None], (years > year)[:, None]
    l_at = np.where(seen & before, index, -1).max(axis=0)
    r_at = np.where(seen & after, index, len(years)).min(axis=0)
    has_l, has_r = l_at >= 0, r_at < len(years)
    l_at, r_at = np.maximum(l_at, 0), np.minimum(r_at, len(years) - 1)
    columns = np.arange(series.shape[1])
    l_gap = np.where(has_l, year - years[l_at], 0)
    r_gap = np.where(has_r, years[r_at] - year, 0)
    both = has_l & has_r
    width = np.maximum(l_gap + r_gap, 1)
    l_share = np.where(both, r_gap / width, has_l.astype(np.float64))
    r_share = np.where(both, l_gap / width, has_r & ~has_l)
    ends = scale.inverse(np.stack([values[l_at, columns], values[r_at, columns]]))
    guess = scale.forward(l_share * ends[0] + r_share * ends[1])
    length = _length(l_gap, r_gap)
    steps, bends = _volatility(values, seen, years)
    spread = np.sqrt(np.where(both, bends, steps) * length)
    slope_l = _slope(values, seen & before, years, l_at, -1)
    slope_r = _slope(values, seen & after, years, r_at, 1)
    drift = np.where(both, 0.0, np.where(has_l, slope_l * l_gap, -slope_r * r_gap)) / spread
    others = np.column_stack(_other_guesses(values, seen, years, year, guess)) - guess[:, None]
    others = np.clip(others / spread[:, None], -20, 20)
    return Baseline(has_l | has_r, guess, spread, np.clip(drift, -20, 20), l_gap, r_gap, others)


def _other_guesses(values: Floats, seen: Mask, years: Ints, year: int, guess: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean near the year, that of all years, the line between the second-nearest; `guess` where there is none."""
    closeness = seen * np.exp(-np.abs(years - year) / NEAR_YEARS)[:, None]
    total = closeness.sum(axis=0)
    near = np.where(total > 0, (closeness * values).sum(axis=0) / np.where(total > 0, total, 1.0), guess)
    count = seen.sum(axis=0)
    mean = np.where(count > 0, values.sum(axis=0) / np.maximum(count, 1), guess)
    before, after = seen & (years < year)[:, None], seen & (years > year)[:, None]
    l_rank = np.cumsum(before[::-1], axis=0)[::-1]
    second_l = before & (l_rank == 2)
    second_r = after & (np.cumsum(after, axis=0) == 2)
    has = second_l.any(axis=0) & second_r.any(axis=0)
    l_gap = (second_l * (year - years)[:, None]).sum(axis=0)
    r_gap = (second_r * (years - year)[:, None]).sum(axis=0)
    line = r_gap * (second_l * values).sum(axis=0) + l_gap * (second_r * values).sum(axis=0)
    return near, mean, np.where(has, line / np.maximum(l_gap + r_gap, 1), guess)


def _volatility(values: Floats, seen: Mask, years: Ints) -> tuple[Floats, Floats]:
    """Variance per year of the steps of each series and of its bends (the middle of three off the line), (n,), (n,).

    Each country's own is drawn towards that of all by `PRIOR` observations; never zero.
    """
    n_years, n = values.shape
    index = np.arange(n_years)[:, None]
    columns = np.arange(n)
    last = np.maximum.accumulate(np.where(seen, index, -1), axis=0)
    following = np.minimum.accumulate(np.where(seen, index, n_years)[::-1], axis=0)[::-1]
    prev = np.vstack([np.full((1, n), -1), last[:-1]])
    nxt = np.vstack([following[1:], np.full((1, n), n_years)])
    has_prev, has_both = seen & (prev >= 0), seen & (prev >= 0) & (nxt < n_years)
    prev, nxt = np.maximum(prev, 0), np.minimum(nxt, n_years - 1)
    a = np.maximum(years[:, None] - years[prev], 1)
    b = np.maximum(years[nxt] - years[:, None], 1)
    v_prev, v_next = values[prev, columns], values[nxt, columns]
    steps = np.where(has_prev, (values - v_prev) ** 2 / a, 0.0)
    line = (b * v_prev + a * v_next) / (a + b)
    bends = np.where(has_both, (values - line) ** 2 * (a + b) / (a * b), 0.0)
    return _pooled(steps.sum(axis=0), has_prev.sum(axis=0)), _pooled(bends.sum(axis=0), has_both.sum(axis=0))


def _pooled(total: Floats, count: Ints) -> Floats:
    own = total / np.maximum(count, 1)
    present = own[count > 0]
    if not len(present):
        return np.ones(len(total))
    common = float(np.minimum(present, np.quantile(present, 0.9)).mean())
    common = common if common > 0 else float(present.mean())
    pooled = (PRIOR * common + total) / (PRIOR + count)
    largest = float(pooled.max())
    return np.maximum(pooled, 1e-8 * largest) if largest > 0 else np.ones(len(total))


def _slope(values: Floats, seen: Mask, years: Ints, at: Ints, towards: int) -> Floats:
    """Change per year between the nearest observation and the farthest within `SLOPE_YEARS` of it, 0 without one.

    Args:
        at: (n,) position of the nearest observation; towards: -1 where the others lie before it, 1 after.
    """
    index = np.arange(len(years))[:, None]
    inside = seen & (np.abs(years[:, None] - years[at]) <= SLOPE_YEARS)
    far = np.where(inside, index, len(years)).min(axis=0) if towards < 0 else np.where(inside, index, -1).max(axis=0)
    far = np.clip(far, 0, len(years) - 1)
    columns = np.arange(values.shape[1])
    apart = years[at] - years[far]
    change = values[at, columns] - values[far, columns]
    usable = inside.any(axis=0) & (apart != 0)
    return np.where(usable, change / np.where(apart != 0, apart, 1), 0.0)


@dataclass(frozen=True)
class Lessons:
    """Training rows for the error of the baseline.

    Attributes:
        country: (n,) country index of each row; a country appears once for each pattern of gaps it is hidden with.
        features: (n, 8), directions: (n, 7), see `Baseline`.
        error: (n,) in units of the spread; share: (n,) weight inside the country, sums to 1.
    """

    country: Ints
    features: Floats
    directions: Floats
    error: Floats
    guess: Floats
    spread: Floats
    share: Floats

    def alike(self, left: Ints, right: Ints) -> Floats:
        """(m, n) how alike the gaps around the year are: for countries with gaps `left`, `right` (m,), the lessons."""
        there_left, there_right = self.features[:, 3], self.features[:, 4]
        length, there = _length(left, right), _length(there_left, there_right)
        one_sided, there_one_sided = (left == 0) | (right == 0), (there_left == 0) | (there_right == 0)
        near: Floats = np.exp(-np.abs(np.log(length)[:, None] - np.log(there)) / ALIKE)
        return near * np.where(one_sided[:, None] == there_one_sided, 1.0, OTHER_KIND)


def _length(left: Floats | Ints, right: Floats | Ints) -> Floats:
    """Years to which the variance of the error is in proportion: of a bridge, or beyond the last observation."""
    both = (left > 0) & (right > 0)
    return np.where(both, left * right / np.maximum(left + right, 1), np.maximum(left + right, 1)).astype(np.float64)


def lessons(
    series: Floats, years: Ints, year: int, train: Ints, asking: Baseline, rows: Ints, scale: Scale = AS_IT_IS
) -> Lessons:
    """Hide the year and its surroundings in the training countries as the asking countries miss them.

    Args:
        series: (n_years, n_countries) on the modelling scale.
        train: country indices with the year observed; rows: those asking, `asking` being the baseline of all countries.
    """
    left = _snap(asking.left[rows[asking.known[rows]]])
    right = _snap(asking.right[rows[asking.known[rows]]])
    patterns, frequency = np.unique(np.stack([left, right], axis=1), axis=0, return_counts=True)
    patterns = patterns[np.argsort(-frequency, kind="stable")][:PATTERNS]
    truth = series[int(np.flatnonzero(years == year)[0]), train]
    picked = []
    n_patterns = len(patterns)
    replicates = REPLICATES_OF_FEW if len(train) < FEW else REPLICATES
    for number, (l_gap, r_gap) in enumerate(patterns):
        hidden = baseline(series[:, train], years, year, int(l_gap), int(r_gap), scale)
        turn = (np.arange(len(train)) - number) % n_patterns < replicates
        use = np.flatnonzero(hidden.known & turn)
        error = (truth[use] - hidden.guess[use]) / hidden.spread[use]
        picked.append(
            (use, hidden.features()[use], hidden.directions()[use], error, hidden.guess[use], hidden.spread[use])
        )
    use, features, directions, error, guess, spread = (np.concatenate(part) for part in zip(*picked, strict=True))
    share = 1.0 / np.bincount(use, minlength=len(train))[use]
    return Lessons(train[use], features, directions, error, guess, spread, share)


def _snap(gaps: Ints) -> Ints:
    """Long gaps to a few lengths, so that few patterns need to be rehearsed."""
    snapped: Ints = _SNAP[np.minimum(gaps, len(_SNAP) - 1)]
    return snapped


def steering(taught: Lessons, w: Floats, rows: Mask) -> Floats:
    """How far to go along each direction (7,): a ridge regression of the error, drawn to not at all.

    Errors beyond three robust standard deviations count as three, so that no single jump decides.

    Args:
        w: (n,) weights of the lessons; rows: (n,) those to learn from.
    """
    directions, error, mass = taught.directions[rows], taught.error[rows], w[rows]
    limit = 3.0 * 1.4826 * weighted_quantile(np.abs(error), mass, 0.5)
    limit = limit if limit > 0 else 3.0 * float(np.sqrt(np.average(error * error, weights=mass)))
    scaled = directions * (mass / mass.sum() * len(np.unique(taught.country[rows])))[:, None]
    gram = directions.T @ scaled + np.diag(RIDGE)
    solved: Floats = np.linalg.solve(gram, scaled.T @ np.clip(error, -limit, limit))
    return solved
