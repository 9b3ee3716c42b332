"""The two ways to answer: from the predictors alone, or from a country's own years corrected by the predictors."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.history import LIMIT, Baseline, Lessons, lessons, steering
from models.imputation.intervals import Blend, interval, least_trees
from models.imputation.kernel import Member, ridge, stacked
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
    Z = problem.levels
    solved = _solved(task, ridge(Z[problem.train], problem.y, problem.w, problem.fold, Z[rows]))
    mse = float((problem.w * (problem.units(solved.blend.honest) - problem.truth) ** 2).sum())
    return solved.answer(mse), solved.final.importances


def from_history(problem: Problem, asking: Baseline, rows: Ints) -> tuple[Answer, bool]:
    """The series model: a country's own other years, corrected by what level 2 learns about the errors of that.

    Returns:
        The answer for `rows`, and whether too few countries had a history to learn anything from.
    """
    spec, filled = problem.spec, problem.filled.filled
    taught = lessons(problem.series, problem.years, spec.year, problem.train, asking, rows, problem.scale)
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
    moved, move = _moved(taught, steered, w, problem, spread, rows)
    steered, course = steered + moved, course + move
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
        taught.alike(asking.left[rows], asking.right[rows]),
    )
    solved = _solved(task, None)
    held_out = problem.units(taught.guess + taught.spread * (steered + solved.blend.honest))
    mse = float((task.w * (held_out - problem.observed[taught.country]) ** 2).sum())
    rest = solved.answer(mse)
    centre, lower, upper = (guess + spread * (course + part) for part in (rest.centre, rest.lower, rest.upper))
    return Answer(centre, lower, upper, mse, rest.model, rest.depth), False


@dataclass(frozen=True)
class _Solved:
    choice: Choice
    final: Final
    blend: Blend
    lower: Floats
    upper: Floats

    def answer(self, mse: float) -> Answer:
        return Answer(self.blend.centre, self.lower, self.upper, mse, self.choice.kind, self.choice.depth)


def _solved(task: Task, kernel: Member | None) -> _Solved:
    """Trees, stacked with the kernel where there is one, and the interval, with progress in proportion to the time."""
    chosen, learnt = solving(task.model, task.estimators)
    with progress.part(0.0, chosen):
        progress.report(0.0, "choosing among learners on countries held out")
        choice = choose(task)
    with progress.part(chosen, learnt):
        progress.report(0.0, "learning from all countries")
        final = finish(task, choice, least_trees(task))
    with progress.part(learnt, 1.0):
        progress.report(0.0, "calibrating the intervals")
        blend = Blend(choice.honest, final.centre)
        if kernel is not None:
            told, share = stacked(task.y, task.w, task.fold, Member(choice.honest, final.centre), kernel)
            blend = Blend(told.honest, told.new, share)
        lower, upper = interval(task, choice, final, blend)
    return _Solved(choice, final, blend, lower, upper)


def _steered(taught: Lessons, w: Floats, fold: Ints, directions: Floats) -> tuple[Floats, Floats]:
    """The linear part of the baseline's error: held out for the lessons (n,), and for the rows asked for (m,)."""
    held_out = np.zeros(len(w))
    for k in np.unique(fold):
        seen = fold != k
        if seen.any():
            held_out[~seen] = taught.directions[~seen] @ steering(taught, w, seen)
    useful = worth(held_out, np.clip(taught.error, -LIMIT, LIMIT), w, taught.country)
    return useful * held_out, useful * (directions @ steering(taught, w, np.ones(len(w), bool)))


def _moved(
    taught: Lessons, steered: Floats, w: Floats, problem: Problem, spread: Floats, rows: Ints
) -> tuple[Floats, Floats]:
    """What other indicators' moves in the year add, in units of the spread: for the lessons, and for the rows asked.

    They are learnt on the modelling scale, where a large move of a restless country is one; the rows of a country are
    averaged. Errors beyond three robust standard deviations count as three.
    """
    left = taught.error - steered
    limit = 3.0 * 1.4826 * weighted_quantile(np.abs(left), w, 0.5)
    limit = limit if limit > 0 else 3.0 * float(np.sqrt(w @ left**2))
    countries, member = np.unique(taught.country, return_inverse=True)

    def summed(values: Floats) -> Floats:
        return np.bincount(member, weights=values).astype(np.float64)

    error = summed(np.clip(left, -limit, limit) * taught.spread * taught.share) / summed(taught.share)
    mass, fold = summed(w), problem.fold[np.searchsorted(problem.train, countries)]
    found = ridge(problem.moves[countries], error, mass, fold, problem.moves[rows])
    useful = worth(found.honest, error, mass, countries)
    reach = limit / 2
    return (
        np.clip(useful * found.honest[member] / taught.spread, -reach, reach),
        np.clip(useful * found.new / spread, -reach, reach),
    )


def widest(problem: Problem) -> tuple[float, float]:
    """Ends of the training distribution itself, on the modelling scale."""
    y, w = problem.y, problem.w
    beyond = float(w.mean())
    high = weighted_quantile(y, w, 0.95, beyond)
    low = -weighted_quantile(-y, w, 0.95, beyond)
    return low, high
