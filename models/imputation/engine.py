"""Two-level imputation of country indicators: predictors without gaps first, then the target from them.

Level 1 fills the predictors of a year, level 2 learns the target from the countries that have it and answers for the
small island states that do not: from their own other years corrected by the predictors, or from the predictors alone.
Everything is determined by the data and the question.
"""

import numpy as np

from common.serving import progress
from common.serving.blas import one_blas_thread
from models.imputation import caveats as notes
from models.imputation.answers import Answer, from_history, from_predictors, widest
from models.imputation.history import Baseline, baseline
from models.imputation.level1 import Level1, Level1Memory, predictor_mask, target_mask, year_values
from models.imputation.problem import Problem, pose
from models.imputation.selection import correlation
from models.imputation.spec import (
    Caveat,
    Floats,
    Imputation,
    ImputationError,
    Indicators,
    Interpolator,
    Interval,
    Mask,
    Model,
    Scheme,
    Spec,
)
from models.imputation.steps import steps

# With fewer countries no interval made of their errors covers 90%.
NO_LEVEL = 9

__all__ = [
    "Caveat",
    "Imputation",
    "ImputationError",
    "Interpolator",
    "Interval",
    "Level1Memory",
    "Model",
    "Scheme",
    "Spec",
    "eligible_predictors",
    "eligible_targets",
    "impute",
]


def eligible_targets(data: Indicators, year: int) -> Mask:
    """(n_indicators,) missing in some but less than 80% of the countries in a calendar year."""
    return target_mask(year_values(data, year))


def eligible_predictors(data: Indicators, year: int) -> Mask:
    """(n_indicators,) missing in less than 30% of the countries in a calendar year."""
    return predictor_mask(year_values(data, year))


def impute(data: Indicators, spec: Spec, memory: Level1Memory) -> Imputation:
    """Answer one question.

    Raises:
        ImputationError: for a year or indicator that the data do not have, a target observed in fewer than three
            countries, predictors that cannot be used.
    """
    if spec.year not in data.years:
        raise ImputationError(f"no data for {spec.year}; years run from {data.years[0]} to {data.years[-1]}")
    if not 0 <= spec.target < len(data.indicators) or spec.estimators < 1:
        raise ImputationError("target must be an indicator's index and estimators at least 1")
    one_blas_thread()
    values = year_values(data, spec.year)
    filled, posed = steps(spec, memory.holds(data, spec.year, spec.interpolator))
    with progress.part(0.0, filled):
        progress.report(0.0, "filling the predictors")
        level1 = memory.get(data, spec.year, spec.interpolator)
    with progress.part(filled, posed):
        progress.report(0.0, "choosing predictors")
        problem = pose(data, values, level1, spec)
    history = baseline(problem.series, problem.years, spec.year, scale=problem.scale) if spec.use_history else None
    known = history.known[problem.rows] if history is not None else np.zeros(len(problem.rows), bool)
    own, few = None, False
    # Two answers, or one; where every row has one already, little is left to do.
    halfway = posed + (1.0 - posed) * (0.0 if not known.any() else 0.95 if known.all() else 0.5)
    if history is not None and known.any():
        with progress.part(posed, halfway):
            own, few = from_history(problem, history, problem.rows[known])
    with progress.part(halfway, 1.0):
        level, importances = from_predictors(problem, problem.rows[~known], own)
    blind = _blind(problem, values, level1)
    centre, lower, upper = _joined(problem, level, own, known, blind)
    rmse = _rmse(level, own, known)
    answered = own if own is not None and (level is None or known.mean() > 0.5) else level
    assert answered is not None  # noqa: S101 - one of the two has always answered
    features = problem.filled.indicators[problem.columns]
    return Imputation(
        rows=problem.rows,
        prediction=centre,
        lower=lower,
        upper=upper,
        rmse=rmse,
        rmse_deviation=_deviation(rmse, problem.truth),
        model=answered.model,
        features=tuple(int(j) for j in features),
        importances=importances,
        correlation=correlation(problem.filled.filled[:, problem.columns]),
        excluded_clones=problem.filled.clones,
        caveats=_caveats(problem, values, known, blind, history, few),
        depth=answered.depth,
        with_history=known,
        n_train=len(problem.train),
    )


def _joined(
    problem: Problem, level: Answer | None, own: Answer | None, known: Mask, blind: Mask
) -> tuple[Floats, Floats, Floats]:
    """Prediction and ends (n_rows,) in the target's units, inside the bounds and in order."""
    ends = np.zeros((3, len(known)))
    if level is not None:
        ends[:, ~known] = level.centre, level.lower, level.upper
        least, largest = widest(problem)
        unsure = ~known & (blind | (len(problem.train) < NO_LEVEL))
        ends[1, unsure] = np.minimum(ends[1, unsure], least)
        ends[2, unsure] = np.maximum(ends[2, unsure], largest)
    if own is not None:
        ends[:, known] = own.centre, own.lower, own.upper
    centre, lower, upper = problem.units(ends)
    return centre, np.minimum(lower, centre), np.maximum(upper, centre)


def _rmse(level: Answer | None, own: Answer | None, known: Mask) -> float:
    """Held-out error of the models that answered, each counted by its share of the rows."""
    share = float(known.mean()) if len(known) and own is not None else 0.0
    mse = share * (own.mse if own is not None else 0.0) + (1 - share) * (level.mse if level is not None else 0.0)
    return float(np.sqrt(mse))


def _deviation(rmse: float, truth: Floats) -> float:
    """rmse over the mean of the target; over its range where that is not within 0..1; 0 for a constant target."""
    mean, width = float(truth.mean()), float(truth.max() - truth.min())
    if mean > 0 and rmse / mean <= 1:
        return rmse / mean
    return rmse / width if width > 0 else 0.0


def _blind(problem: Problem, values: Floats, level1: Level1) -> Mask:
    features = problem.filled.indicators[problem.columns]
    seen = np.isfinite(values[np.ix_(problem.rows, features)])
    mean_fill = problem.spec.interpolator is Interpolator.SimpleImputer
    return notes.uninformed(seen, level1.observed[problem.rows], mean_fill)


def _caveats(
    problem: Problem, values: Floats, known: Mask, blind: Mask, history: Baseline | None, few: bool
) -> tuple[Caveat, ...]:
    features = problem.filled.indicators[problem.columns]
    rows, filled = problem.rows, problem.filled.filled[:, problem.columns]
    interpolated = np.asarray(~np.isfinite(values[np.ix_(rows, features)]).any(axis=1))
    left = history.left[rows] if history is not None else np.zeros(len(rows), np.int64)
    right = history.right[rows] if history is not None else np.zeros(len(rows), np.int64)
    outside = notes.share_outside(filled[problem.train], filled[rows])
    one_sided = (left == 0) != (right == 0)
    constant = bool(np.ptp(problem.truth) == 0)
    return notes.merged(
        notes.general(len(problem.train), constant, few),
        notes.by_row(rows, blind, interpolated, known, notes.nearest_gap(left, right), one_sided, outside),
    )
