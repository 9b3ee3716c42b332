"""90% intervals around level-2 predictions, calibrated on rows that the learners had not seen."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.boosting import Boosted
from models.imputation.level2 import Choice, Final, Grown, Part, Task
from models.imputation.spec import Floats, Interval, Ints, Mask
from models.imputation.trees import Forest, bootstrap_counts, seeded
from models.imputation.weights import conformal_quantile, row_quantile

LEVEL = 0.9
BAGS = 30
BOOSTED_BAGS = 12
LEAST_REACH = 0.25
MOST_ROWS = 3.0


def least_trees(task: Task) -> int:
    """Trees the final forest needs for the interval: jackknife+ after bootstrap wants each row out of several bags."""
    return BAGS if task.interval is Interval.bootstrap else 0


@dataclass(frozen=True)
class Blend:
    """What is predicted in the end: the trees alone, or stacked with another member.

    Attributes:
        honest: (n,) held-out predictions of the training rows; centre: (m,) those of the rows asked for.
        share: how much the trees count in them.
    """

    honest: Floats
    centre: Floats
    share: float = 1.0


def interval(task: Task, choice: Choice, final: Final, blend: Blend) -> tuple[Floats, Floats]:
    """Lower and upper ends (m,), (m,), with the blend's prediction between them."""
    make = _quantile_regression if task.interval is Interval.quantile else _jackknife_after_bootstrap
    lower, upper = make(task, choice, final, blend)
    return np.minimum(lower, blend.centre), np.maximum(upper, blend.centre)


def calibrated(task: Task, rows: Mask, scores: Floats) -> Floats:
    """The 90% quantile (m,) of held-out `scores` (n,) or (n, m) for each row to predict, with that row at infinity.

    Training rows count by their weight and by how alike they are to the row (localised conformal prediction, Guan
    2023). None counts for more than `MOST_ROWS` usual ones: three islands alone cannot say what nine in ten stay below.

    Args:
        rows: (n_all,) which of the task's training rows the scores are of.
    """
    m = len(task.X_new)
    limited = np.minimum(task.w, MOST_ROWS * np.median(task.w))
    weights = np.broadcast_to(limited[rows], (m, int(rows.sum())))
    if task.alike is not None:
        weights = weights * task.alike[:, rows]
    weights = weights / weights.sum(axis=1, keepdims=True)
    columns = scores.T if scores.ndim > 1 else np.broadcast_to(scores, weights.shape)
    return np.array([conformal_quantile(column, w, LEVEL) for column, w in zip(columns, weights, strict=True)])


def _quantile_regression(task: Task, choice: Choice, final: Final, blend: Blend) -> tuple[Floats, Floats]:
    """Quantile regression forest (Meinshausen 2006) or boosted quantiles, made to cover by conformal scaling.

    The score of a held-out row is its error in units of the raw interval's reach on that side (normalised conformal
    prediction, Papadopoulos et al. 2008; Romano et al. 2019 for quantiles); their 90% quantile, with one more row at
    infinity, stretches the new intervals. To every reach `LEAST_REACH` of the usual one is added.
    """
    below, above = np.zeros(len(task.y)), np.zeros(len(task.y))
    for fold in range(task.n_folds):
        held = task.fold == fold
        if held.any():
            with progress.share(fold, task.n_folds + 1):
                grown = choice.forests.get(fold)
                below[held], above[held] = _reach(task, choice, grown or Part.of(task, fold))
    with progress.share(task.n_folds, task.n_folds + 1):
        new_below, new_above = _reach(task, choice, final.grown or final.part)
    least = LEAST_REACH * float(np.average(below + above, weights=task.w)) / 2
    if least <= 0:
        least = max(float(np.average(np.abs(task.y - blend.honest), weights=task.w)), np.finfo(float).tiny)
    error = task.y - blend.honest
    scores = np.abs(error) / (np.where(error < 0, below, above) + least)
    stretch = calibrated(task, np.ones(len(scores), bool), scores)
    return blend.centre - stretch * (new_below + least), blend.centre + stretch * (new_above + least)


def _reach(task: Task, choice: Choice, learner: Grown | Part) -> tuple[Floats, Floats]:
    """How far the raw interval of the trees goes below and above their prediction; boosting grows from its part."""
    tail = (1 - LEVEL) / 2
    if isinstance(learner, Part):
        low, high = _boosted_ends(task, choice, learner, (tail, 1 - tail))
        return (high - low) / 2, (high - low) / 2
    forest, here = learner.forest, learner.forest.cut(learner.leaves, choice.depth)
    low, high = forest_quantiles(forest, here, choice.depth, (tail, 1 - tail))
    middle = forest.value[here].mean(axis=0)
    return np.maximum(middle - low, 0.0), np.maximum(high - middle, 0.0)


def _boosted_ends(task: Task, choice: Choice, part: Part, levels: tuple[float, float]) -> tuple[Floats, Floats]:
    state = seeded(*task.seed, 77, part.fold + 1)
    depth = choice.depth or 2
    ends = []
    for number, level in enumerate(levels):
        with progress.share(number, 2):
            model = Boosted.grow(part.X, part.y, part.w, task.estimators, depth, state, level)
            ends.append(model.predict(part.X_new))
    return np.minimum(*ends), np.maximum(*ends)


def forest_quantiles(forest: Forest, here: Ints, depth: int | None, levels: tuple[float, ...]) -> list[Floats]:
    """Quantiles of the training rows weighted by how often they share a node with each new row, (m,) for each level.

    Args:
        here: (n_trees, m) the nodes of the new rows at `depth`.
    """
    order = np.argsort(forest.y, kind="stable")
    there = forest.cut(forest.leaves, depth)[:, order]
    mass = (forest.counts * forest.weights)[:, order]
    totals = np.bincount(there.ravel(), weights=mass.ravel(), minlength=len(forest.value))
    share = mass / np.where(totals > 0, totals, 1.0)[there]
    weights = np.zeros((here.shape[1], len(order)))
    for tree in range(min(len(here), 100)):
        weights += np.where(here[tree][:, None] == there[tree], share[tree], 0.0)
    return [row_quantile(weights, forest.y[order], level) for level in levels]


def _jackknife_after_bootstrap(task: Task, choice: Choice, final: Final, blend: Blend) -> tuple[Floats, Floats]:
    """Jackknife+ after bootstrap (Kim, Xu, Barber 2020).

    For each training row the trees (or boosted models) that never drew it predict the new rows; the row's own held-out
    residual, from cross-validation so that the choice of predictors counts too, is put on both sides.
    """
    predicted, out = _bags(task, choice, final)
    covered = out.sum(axis=0)
    kept = covered > 0
    without = (out[:, kept].T.astype(np.float64) @ predicted) / covered[kept][:, None]
    without = blend.centre + blend.share * (task.anchor + choice.shrink * (without - task.anchor) - final.centre)
    residual = np.abs(task.y - blend.honest)[kept, None]
    low = -calibrated(task, kept, residual - without)
    high = calibrated(task, kept, without + residual)
    return low, high


def _bags(task: Task, choice: Choice, final: Final) -> tuple[Floats, Mask]:
    """Predictions of each bag's learner (n_bags, m) and the rows it never drew (n_bags, n)."""
    if final.grown is not None:
        forest = final.grown.forest
        return forest.value[forest.cut(final.grown.leaves, choice.depth)], forest.out_of_bag()
    part = final.part
    state = seeded(*task.seed, 78)
    counts = bootstrap_counts(task.group, BOOSTED_BAGS, state)
    depth = choice.depth or 2
    predicted = []
    for number, count in enumerate(counts):
        with progress.share(number, len(counts)):
            model = Boosted.grow(part.X, part.y, part.w * count, task.estimators, depth, state)
            predicted.append(model.predict(part.X_new))
    return np.stack(predicted), counts == 0
