"""`auto`: the method that would have erred least, with intervals as wide as its errors were.

In the middle and at the ends of a series different methods are best, so each is chosen by itself. The error of a method
is its mean absolute error in units of the spread, on this series as far as rehearsals on it go, drawn towards that on
other countries' series with the same gaps: the fewer rehearsals, the more. Intervals are split-conformal (Lei and
others 2018) on errors in units of the spread, those at a similar distance and of this series counting more (weights as
in Tibshirani, Barber, Candes and Ramdas 2019).
"""

from dataclasses import dataclass

import numpy as np

from models._indicators.bounds import Bounds
from models.timeseries.rehearsal import CANDIDATES, Candidate, Errors, Guess, guess, lessons, own
from models.timeseries.scale import expected_steps
from models.timeseries.spec import Course, Floats, Mask

LEVEL = 0.9
# Own errors that those of the other countries count for, when a method is chosen.
DRAW = 40.0
# What an error of the series itself weighs beside one of another country, in the intervals.
OWN_WEIGHT = 2.0
# No single jump decides.
LIMIT = 5.0
# Errors below which an interval is only roughly right.
FEW_ERRORS = 20


@dataclass(frozen=True)
class Compared:
    """How a method did in rehearsals, in the middle or at the ends.

    Attributes:
        own: mean absolute error on this series in its units, None without a rehearsal; n_own: rehearsed years.
        score: what decided: mean absolute error in units of the spread, own and others'.
    """

    inside: bool
    candidate: Candidate
    own: float | None
    n_own: int
    n_others: int
    score: float


@dataclass(frozen=True)
class Filled:
    """An answer for m years.

    Attributes:
        value, lower, upper: (m,) inside the bounds, lower <= value <= upper.
        inside: (m,) whether the year has an observation on either side.
        chosen: inside or not -> the method, for what there was to fill.
        compared: the methods by score, in the middle first.
        n_errors: inside or not -> errors behind the intervals.
    """

    value: Floats
    lower: Floats
    upper: Floats
    inside: Mask
    chosen: dict[bool, Candidate]
    compared: tuple[Compared, ...]
    n_errors: dict[bool, int]


def fill(panel: Floats, course: Course, country: int, asked: Mask, usual: Floats, bounds: Bounds) -> Filled:
    """Fill the missing years asked for.

    Args:
        panel: (n_years, n_countries) the indicator, `course` being column `country`; at least two of its values differ.
        usual: (n_countries,) variance of a step, see `scale.usual_variance`.
        asked: (n_years,) missing years, at least one.
    """
    seen, series = course.seen, course.values[:, None]
    steps = expected_steps(series, course.years, usual[country : country + 1])
    said = guess(course.years[seen], series[seen], course.years[asked], steps)
    mine = own(course, asked, float(usual[country]))
    others = lessons(panel, course.years, country, asked, usual)
    value, half = np.empty(len(said.inside)), np.empty(len(said.inside))
    chosen: dict[bool, Candidate] = {}
    compared: list[Compared] = []
    n_errors: dict[bool, int] = {}
    for inside in (True, False):
        here = said.inside == inside
        if not here.any():
            continue
        ranked = _compare(said, mine, others, inside)
        chosen[inside] = ranked[0].candidate
        compared += ranked
        value[here] = said.by[ranked[0].candidate][here, 0]
        half[here], n_errors[inside] = _half_widths(said, mine, others, ranked[0].candidate, inside)
    value = bounds.clip(value)
    return Filled(
        value,
        bounds.clip(value - half),
        bounds.clip(value + half),
        said.inside,
        chosen,
        tuple(compared),
        n_errors,
    )


def _compare(said: Guess, mine: Errors, others: Errors, inside: bool) -> list[Compared]:
    """The methods that have a value for all of these years, least score first; a tie keeps their order."""
    here = said.inside == inside
    found = []
    for candidate in CANDIDATES:
        if not np.isfinite(said.by[candidate][here]).all():
            continue
        own_units, own_error = _scaled(mine, candidate, inside)
        _, other_error = _scaled(others, candidate, inside)
        drawn = DRAW if len(other_error) else 0.0
        total = own_error.sum() + (drawn * other_error.mean() if drawn else 0.0)
        count = len(own_error) + drawn
        found.append(
            Compared(
                inside,
                candidate,
                float(own_units.mean()) if len(own_units) else None,
                len(own_units),
                len(other_error),
                float(total / count) if count else 0.0,
            )
        )
    return sorted(found, key=lambda item: item.score)


def _scaled(errors: Errors, candidate: Candidate, inside: bool) -> tuple[Floats, Floats]:
    """Absolute errors of a method, in units of the series and in units of the spread, those cut off at the limit."""
    error = np.abs(errors.by[candidate])
    use = (errors.inside == inside) & np.isfinite(error)
    return error[use], np.minimum(error[use] / errors.spread[use], LIMIT)


def _half_widths(said: Guess, mine: Errors, others: Errors, candidate: Candidate, inside: bool) -> tuple[Floats, int]:
    """Half of the interval of each year asked for on this side, and the number of errors it rests on."""
    here = said.inside == inside
    scaled: list[Floats] = []
    weights: list[Floats] = []
    reaches: list[Floats] = []
    for errors, counts_for in ((mine, OWN_WEIGHT), (others, 1.0)):
        use = (errors.inside == inside) & np.isfinite(errors.by[candidate])
        scaled.append(np.abs(errors.by[candidate][use]) / errors.spread[use])
        weights.append(np.full(int(use.sum()), counts_for))
        reaches.append(errors.reach[use].astype(np.float64))
    size, weight, reach = (np.concatenate(part) for part in (scaled, weights, reaches))
    factors = [_quantile(size, weight * np.exp(-np.abs(np.log(reach / asked))), LEVEL) for asked in said.reach[here]]
    return np.array(factors) * said.spread[here, 0], len(size)


def _quantile(size: Floats, weight: Floats, level: float) -> float:
    """The smallest size that `level` of the weight reaches, one error of infinite size included; with too few errors
    the largest, but not less than that of a normal error widened for its estimated spread."""
    least = 2.0
    if len(size) < FEW_ERRORS:
        return max(float(size.max()) if len(size) else least, least)
    order = np.argsort(size, kind="stable")
    reached = np.cumsum(weight[order])
    at = int(np.searchsorted(reached, level * (reached[-1] + float(weight.mean())) - 1e-12))
    return float(size[order[min(at, len(order) - 1)]])
