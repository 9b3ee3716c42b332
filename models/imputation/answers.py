"""The two ways to answer: from the predictors alone, or from a country's own years corrected by the predictors."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.history import LIMIT, Baseline, Lessons, lessons, steering
from models.imputation.intervals import interval, least_trees
from models.imputation.level2 import Choice, Final, Task, choose, finish, worth
from models.imputation.problem import Problem
from models.imputation.spec import Floats, Ints, Model
from models.imputation.steps import solving
from models.imputation.weights import balanced, weighted_quantile

MIN_LESSONS = 5


@dataclass(frozen=True)
class Answer:
    """Ends and middle for some rows on the modelling scale, and how the model did on rows held out.

    Attributes:
        centre, lower, upper: (n_rows,)
        mse: weighted mean squared error on held-out countries, in the target's units squared.
    """

    centre: Floats
    lower: Floats
    upper: Floats
    mse: float
    model: Model
    depth: int | None


def from_predictors(problem: Problem, rows: Ints, own: Answer | None) -> tuple[Answer | None, Floats]:
    """The level model: the target from the predictors, for countries without usable years of their own.

    Where every row has been answered already, only the importances are learnt.

    Returns:
        The answer for `rows`, and the importances (n_features,) of the chosen predictors.
    """
    spec, X = problem.spec, problem.filled.filled.astype(np.float32)
    task = Task(
        X[problem.train],
        problem.y,
        problem.w,
        problem.train,
        X[rows],
        problem.fold,
        tuple(problem.fold_columns),
        problem.columns,
        spec.model,
        spec.estimators,
        spec.interval,
        float(np.average(problem.y, weights=problem.w)),
        (spec.seed, 2),
    )
    if own is not None and not len(rows):
        unscored = Choice(own.model, own.depth, problem.y, 1.0, {})
        return None, finish(task, unscored).importances
    choice, final, lower, upper = _solved(task)
    mse = float((problem.w * (problem.units(choice.honest) - problem.truth) ** 2).sum())
    return Answer(final.centre, lower, upper, mse, choice.kind, choice.depth), final.importances


def from_history(problem: Problem, asking: Baseline, rows: Ints) -> tuple[Answer, bool]:
    """The series model: a country's own other years, corrected by what level 2 learns about the errors of that.

    Returns:
        The answer for `rows`, and whether too few countries had a history to learn anything from.
    """
    spec, filled = problem.spec, problem.filled.filled
    taught = lessons(problem.series, problem.years, spec.year, problem.train, asking, rows)
    guess, spread = asking.guess[rows], asking.spread[rows]
    if len(np.unique(taught.country)) < MIN_LESSONS:
        reach = 3.0 * spread
        kind = Model.rfr if spec.model is Model.all else spec.model
        mse = float(np.square(problem.units(guess + spread) - problem.units(guess)).mean())
        return Answer(guess, guess - reach, guess + reach, mse, kind, None), True
    place = np.searchsorted(problem.train, taught.country)
    extra = filled.shape[1] + np.arange(taught.features.shape[1])
    w, fold = balanced(problem.sids[taught.country], taught.share), problem.fold[place]
    steered, course = _steered(taught, w, fold, asking.directions()[rows])
    task = Task(
        np.hstack([filled[taught.country], taught.features]).astype(np.float32),
        taught.error - steered,
        w,
        taught.country,
        np.hstack([filled[rows], asking.features()[rows]]).astype(np.float32),
        fold,
        tuple(np.concatenate([columns, extra]) for columns in problem.fold_columns),
        np.concatenate([problem.columns, extra]),
        spec.model,
        spec.estimators,
        spec.interval,
        0.0,
        (spec.seed, 3),
    )
    choice, final, lower, upper = _solved(task)
    held_out = problem.units(taught.guess + taught.spread * (steered + choice.honest))
    mse = float((task.w * (held_out - problem.observed[taught.country]) ** 2).sum())
    centre, lower, upper = (guess + spread * (course + part) for part in (final.centre, lower, upper))
    return Answer(centre, lower, upper, mse, choice.kind, choice.depth), False


def _solved(task: Task) -> tuple[Choice, Final, Floats, Floats]:
    """The choice, its learner of all rows, and the ends of the interval, with progress in proportion to the time."""
    chosen, learnt = solving(task.model, task.estimators)
    with progress.part(0.0, chosen):
        progress.report(0.0, "choosing among learners on countries held out")
        choice = choose(task)
    with progress.part(chosen, learnt):
        progress.report(0.0, "learning from all countries")
        final = finish(task, choice, least_trees(task))
    with progress.part(learnt, 1.0):
        progress.report(0.0, "calibrating the intervals")
        lower, upper = interval(task, choice, final)
    return choice, final, lower, upper


def _steered(taught: Lessons, w: Floats, fold: Ints, directions: Floats) -> tuple[Floats, Floats]:
    """The linear part of the baseline's error: held out for the lessons (n,), and for the rows asked for (m,)."""
    held_out = np.zeros(len(w))
    for k in np.unique(fold):
        seen = fold != k
        if seen.any():
            held_out[~seen] = taught.directions[~seen] @ steering(taught, w, seen)
    useful = worth(held_out, np.clip(taught.error, -LIMIT, LIMIT), w, taught.country)
    return useful * held_out, useful * (directions @ steering(taught, w, np.ones(len(w), bool)))


def widest(problem: Problem) -> tuple[float, float, float]:
    """Middle and ends of the training distribution itself, on the modelling scale."""
    y, w = problem.y, problem.w
    beyond = float(w.mean())
    high = weighted_quantile(y, w, 0.95, beyond)
    low = -weighted_quantile(-y, w, 0.95, beyond)
    return float(np.average(y, weights=w)), low, high
