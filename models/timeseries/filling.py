"""A question put to the data: the series, filled, with intervals and reasons for care."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models._indicators import IndicatorSet
from models._indicators.bounds import Bounds, bounds_of
from models.timeseries.auto import FEW_ERRORS, fill
from models.timeseries.interpolation import interpolate
from models.timeseries.scale import usual_variance
from models.timeseries.spec import Course, Direction, Floats, Ints, Mask, Method, between, fillable

FEW_POINTS = 6
FAR_YEARS = 5


@dataclass(frozen=True)
class Question:
    """One series, by the places of its indicator and country, and how to fill it."""

    target: int
    country: int
    method: Method
    order: int | None
    direction: Direction
    bounded: bool


@dataclass(frozen=True)
class Compared:
    """See `definitions.Comparison`."""

    part: str
    method: str
    chosen: bool
    error: float | None
    rehearsals: int
    others: int
    score: float


@dataclass(frozen=True)
class Caveat:
    """A reason for care. `years` is empty where it holds for all that was filled."""

    code: str
    message: str
    years: tuple[int, ...] = ()


@dataclass(frozen=True)
class Solution:
    """A filled series.

    Attributes:
        values: (n,) observed and filled, NaN where a year stays empty.
        lower, upper: (n,) ends of the 90% interval, NaN where nothing was filled with one.
        inside, ends: the methods that filled the years between observations, and those beyond.
    """

    course: Course
    values: Floats
    lower: Floats
    upper: Floats
    inside: str | None
    ends: str | None
    compared: tuple[Compared, ...]
    caveats: tuple[Caveat, ...]

    @property
    def filled(self) -> Mask:
        """(n,) the years that were missing and have a value now."""
        return ~self.course.seen & np.isfinite(self.values)


@dataclass(frozen=True)
class Indicator:
    """One indicator of all countries: panel (n_years, n_countries), usual (n_countries,) variance of a step."""

    years: Ints
    panel: Floats
    usual: Floats


@lru_cache(maxsize=64)
def indicator(data: IndicatorSet, target: int) -> Indicator:
    years = np.array(data.years, dtype=np.int64)
    panel = np.ascontiguousarray(data.values[:, :, target])
    panel = np.where(np.isfinite(panel), panel, np.nan)
    return Indicator(years, panel, usual_variance(panel, years))


def solve(data: IndicatorSet, question: Question) -> Solution:
    """Fill the series of a question that `choices.check_series` has let pass.

    Raises:
        SeriesError: the method cannot be computed for it.
    """
    known = indicator(data, question.target)
    group = data.sids if data.sids[question.country] else ~data.sids
    bounds = bounds_of(known.panel, group, data.units[question.target])
    course = Course(known.years, known.panel[:, question.country])
    if question.method is Method.auto:
        return _best(known, course, question, bounds)
    return _named(course, question, bounds)


def _named(course: Course, question: Question, bounds: Bounds) -> Solution:
    seen, none = course.seen, np.full(len(course.years), np.nan)
    raw = interpolate(course, question.method, question.order, question.direction)
    values = np.where(seen | ~np.isfinite(raw), raw, bounds.clip(raw)) if question.bounded else raw
    filled, inner = ~seen & np.isfinite(values), between(seen)
    cut = np.flatnonzero(values[filled] != raw[filled])
    name = question.method.name
    caveats = _caveats(course, filled, question.direction)
    if len(cut):
        years = tuple(course.years[filled][cut].tolist())
        message = f"{name} gave values that the indicator cannot have; they were set to the limit."
        caveats.append(Caveat("bounded", message, years))
    beyond = filled & ~inner
    if beyond.any():
        did = "holds the nearest observation" if question.method is Method.linear else "extrapolates its curve"
        years = tuple(course.years[beyond].tolist())
        caveats.append(Caveat("beyond_ends", f"Beyond the first and last observation {name} {did}.", years))
    return Solution(
        course,
        values,
        none,
        none,
        name if (filled & inner).any() else None,
        name if beyond.any() else None,
        (),
        tuple(caveats),
    )


def _best(known: Indicator, course: Course, question: Question, bounds: Bounds) -> Solution:
    asked = fillable(course.seen, question.direction)
    values, lower, upper = course.values.copy(), *(np.full(len(asked), np.nan) for _ in range(2))
    caveats = _caveats(course, asked, question.direction)
    if not asked.any():
        return Solution(course, values, lower, upper, None, None, (), tuple(caveats))
    limits = bounds if question.bounded else Bounds(-np.inf, np.inf)
    found = fill(known.panel, course, question.country, asked, known.usual, limits)
    values[asked], lower[asked], upper[asked] = found.value, found.lower, found.upper
    caveats += [
        Caveat(
            "few_errors",
            f"The intervals {'between observations' if inside else 'beyond the ends'} rest on {count} errors only.",
            tuple(course.years[asked][found.inside == inside].tolist()),
        )
        for inside, count in found.n_errors.items()
        if count < FEW_ERRORS
    ]
    compared = tuple(
        Compared(
            "inside" if item.inside else "ends",
            item.candidate.name,
            item.candidate is found.chosen[item.inside],
            item.own,
            item.n_own,
            item.n_others,
            item.score,
        )
        for item in found.compared
    )
    names = {inside: candidate.name for inside, candidate in found.chosen.items()}
    return Solution(course, values, lower, upper, names.get(True), names.get(False), compared, tuple(caveats))


def _caveats(course: Course, filled: Mask, direction: Direction) -> list[Caveat]:
    seen, years = course.seen, course.years
    found = []
    if seen.all():
        found.append(Caveat("no_gaps", "Every year is observed; there was nothing to fill."))
    if 0 < seen.sum() < FEW_POINTS and filled.any():
        found.append(
            Caveat("few_points", f"The series has {int(seen.sum())} observations; intervals may be too narrow.")
        )
    left = ~seen & ~filled
    if left.any():
        message = "The method and direction do not reach these years; direction both with auto or linear does."
        found.append(Caveat("unfilled", message, tuple(years[left].tolist())))
    apart = np.abs(years[:, None] - years[seen]).min(axis=1)
    far = filled & (apart > FAR_YEARS)
    if far.any():
        message = f"The nearest observation is more than {FAR_YEARS} years away."
        found.append(Caveat("far", message, tuple(years[far].tolist())))
    return found
