"""Counts answers that cannot be right, over all targets of three years as the data are: nothing is hidden."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models._indicators import IndicatorSet
from models.imputation.bounds import is_percentage
from models.imputation.engine import Imputation, Level1Memory, Spec, eligible_targets, impute

YEARS = (2001, 2010, 2018)
BEYOND = 10.0
# Two predictions are the same value if they agree in so many digits.
SAME = 1e-9
# Small island states that make a comparison among themselves.
ENOUGH = 5

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Of predicted values.

    Attributes:
        values: all; without_history: of countries that have the target in no other year; unknown: of these, with the
            caveat that almost nothing is known of the country in the year.
        shared: equal to another country's of the same answer, neither with a history, away from the physical limits;
            shared_unknown: of these, with the caveat; at_limit: on a physical limit.
        unphysical: a negative value or end of what is never negative, or a percentage beyond 0 to 100.
        beyond: a value or end above ten times the largest comparable observation.
    """

    answers: int = 0
    values: int = 0
    without_history: int = 0
    unknown: int = 0
    shared: int = 0
    shared_unknown: int = 0
    at_limit: int = 0
    unphysical: int = 0
    beyond: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            *(mine + theirs for mine, theirs in zip(asdict(self).values(), asdict(other).values(), strict=True))
        )


def targets(data: IndicatorSet) -> Iterator[tuple[int, int]]:
    """(year, target) of all that can be asked for in `YEARS`."""
    for year in YEARS:
        if year in data.year_index:
            for target in np.flatnonzero(eligible_targets(data, year)):
                yield year, int(target)


def count(data: IndicatorSet, year: int, target: int, trees: int, memory: Level1Memory) -> Counts:
    answer = impute(data, Spec(target, year, number_predictor=10, estimators=trees), memory)
    series = np.asarray(data.values[:, :, target])
    low, high = limits(series, data.units[target])
    ends = np.stack([answer.prediction, answer.lower, answer.upper])
    largest = BEYOND * comparable(series, data.sids)
    at_limit = (answer.prediction <= low) | (answer.prediction >= high)
    constant = any(caveat.code == "constant_target" for caveat in answer.caveats)
    unknown = np.isin(answer.rows, [c.row or 0 for c in answer.caveats if c.code == "no_predictors_observed"])
    same = shared(answer) & ~at_limit & (not constant)
    return Counts(
        1,
        len(answer.rows),
        int((~answer.with_history).sum()),
        int(unknown.sum()),
        int(same.sum()),
        int((same & unknown).sum()),
        int(at_limit.sum()),
        int(((ends < low) | (ends > high)).any(axis=0).sum()),
        int((np.abs(ends) > largest * (1 + SAME)).any(axis=0).sum()),
    )


def limits(series: Array, unit: str) -> tuple[float, float]:
    """Physical limits by the unit and by what was ever observed."""
    seen = series[np.isfinite(series)]
    low = 0.0 if seen.min() >= 0 else -np.inf
    return low, 100.0 if is_percentage(unit) and low == 0 and seen.max() <= 100 else np.inf


def comparable(series: Array, sids: Mask) -> float:
    """The largest size seen in a small island state; in any country where few of them or only zeros were seen."""
    near = series[:, sids]
    enough = np.isfinite(near).any(axis=0).sum() >= ENOUGH and np.nanmax(np.abs(near), initial=0.0) > 0
    return float(np.nanmax(np.abs(near if enough else series)))


def shared(answer: Imputation) -> Mask:
    """(n_rows,) without a history and equal to another such row."""
    own, values = ~answer.with_history, answer.prediction
    size = np.maximum(np.abs(values), np.finfo(float).tiny)
    equal = np.abs(values[:, None] - values) <= SAME * size[:, None]
    np.fill_diagonal(equal, False)
    return own & (equal & own).any(axis=1)
