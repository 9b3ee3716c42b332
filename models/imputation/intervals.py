"""90% intervals around level-2 predictions, calibrated on rows that the learners had not seen."""

import numpy as np

from common.serving import progress
from models.imputation.boosting import Boosted
from models.imputation.level2 import Choice, Final, Part, Task
from models.imputation.spec import Floats, Floats32, Interval, Mask
from models.imputation.trees import Forest, bootstrap_counts, seeded
from models.imputation.weights import column_quantile, row_quantile, weighted_quantile

LEVEL = 0.9
BAGS = 30
BOOSTED_BAGS = 12


def least_trees(task: Task) -> int:
    """Trees the final forest needs for the interval: jackknife+ after bootstrap wants each row out of several bags."""
    return BAGS if task.interval is Interval.bootstrap else 0


def interval(task: Task, choice: Choice, final: Final) -> tuple[Floats, Floats]:
    """Lower and upper ends (m,), (m,), with the prediction between them."""
    make = _quantile_regression if task.interval is Interval.quantile else _jackknife_after_bootstrap
    lower, upper = make(task, choice, final)
    return np.minimum(lower, final.centre), np.maximum(upper, final.centre)


def new_weight(w: Floats) -> float:
    """The weight of the point to predict among the calibration rows: that of an average row."""
    return float(w.mean())


def _quantile_regression(task: Task, choice: Choice, final: Final) -> tuple[Floats, Floats]:
    """Quantile regression forest (Meinshausen 2006) or boosted quantiles, conformalised (Romano et al. 2019).

    The score of a held-out row is how far it lies outside its raw interval (negative inside); the 90% quantile of
    the scores, with one more row at infinity, moves both ends of the new intervals.
    """
    scores = np.zeros(len(task.y))
    for fold in range(task.n_folds):
        held = task.fold == fold
        if held.any():
            with progress.share(fold, task.n_folds + 1):
                low, high = _raw(task, choice, Part.of(task, fold), choice.forests.get(fold))
            scores[held] = np.maximum(low - task.y[held], task.y[held] - high)
    margin = weighted_quantile(scores, task.w, LEVEL, beyond=new_weight(task.w))
    with progress.share(task.n_folds, task.n_folds + 1):
        low, high = _raw(task, choice, final.part, final.forest)
    return low - margin, high + margin


def _raw(task: Task, choice: Choice, part: Part, forest: Forest | None) -> tuple[Floats, Floats]:
    tail = (1 - LEVEL) / 2
    if forest is not None:
        low, high = forest_quantiles(forest, part.X_new, choice.depth, (tail, 1 - tail))
        return low, high
    state = seeded(*task.seed, 77, part.fold + 1)
    depth = choice.depth or 2
    ends = []
    for number, level in enumerate((tail, 1 - tail)):
        with progress.share(number, 2):
            model = Boosted.grow(part.X, part.y, part.w, task.estimators, depth, state, level)
            ends.append(model.predict(part.X_new))
    return np.minimum(*ends), np.maximum(*ends)


def forest_quantiles(forest: Forest, X: Floats32, depth: int | None, levels: tuple[float, ...]) -> list[Floats]:
    """Quantiles of the training rows weighted by how often they share a node with each new row, (m,) for each level."""
    order = np.argsort(forest.y, kind="stable")
    there = forest.cut(forest.leaves, depth)[:, order]
    here = forest.cut(forest.apply(X), depth)
    mass = (forest.counts * forest.weights)[:, order]
    totals = np.bincount(there.ravel(), weights=mass.ravel(), minlength=len(forest.value))
    share = mass / np.where(totals > 0, totals, 1.0)[there]
    weights = np.zeros((len(X), len(order)))
    for tree in range(min(len(here), 100)):
        weights += np.where(here[tree][:, None] == there[tree], share[tree], 0.0)
    return [row_quantile(weights, forest.y[order], level) for level in levels]


def _jackknife_after_bootstrap(task: Task, choice: Choice, final: Final) -> tuple[Floats, Floats]:
    """Jackknife+ after bootstrap (Kim, Xu, Barber 2020).

    For each training row the trees (or boosted models) that never drew it predict the new rows; the row's own held-out
    residual, from cross-validation so that the choice of predictors counts too, is put on both sides.
    """
    predicted, out = _bags(task, choice, final)
    covered = out.sum(axis=0)
    kept = covered > 0
    without = (out[:, kept].T.astype(np.float64) @ predicted) / covered[kept][:, None]
    without = task.anchor + choice.shrink * (without - task.anchor)
    residual = np.abs(task.y - choice.honest)[kept, None]
    w = task.w[kept] / task.w[kept].sum()
    reach = min(LEVEL * (1 + new_weight(w)), 1.0)
    low = -column_quantile(residual - without, w, reach)
    high = column_quantile(without + residual, w, reach)
    return low, high


def _bags(task: Task, choice: Choice, final: Final) -> tuple[Floats, Mask]:
    """Predictions of each bag's learner (n_bags, m) and the rows it never drew (n_bags, n)."""
    part, forest = final.part, final.forest
    if forest is not None:
        nodes = forest.cut(forest.apply(part.X_new), choice.depth)
        return forest.value[nodes], forest.out_of_bag()
    state = seeded(*task.seed, 78)
    counts = bootstrap_counts(task.group, BOOSTED_BAGS, state)
    depth = choice.depth or 2
    predicted = []
    for number, count in enumerate(counts):
        with progress.share(number, len(counts)):
            model = Boosted.grow(part.X, part.y, part.w * count, task.estimators, depth, state)
            predicted.append(model.predict(part.X_new))
    return np.stack(predicted), counts == 0
