"""Level 2: tree ensembles that choose their own depth and kind, with predictions held out for every training row."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.boosting import DEPTHS as BOOSTED_DEPTHS
from models.imputation.boosting import Boosted
from models.imputation.spec import Floats, Floats32, Interval, Ints, Mask, Model
from models.imputation.trees import DEPTHS, Forest, seeded

FOLD_TREES = 100
CAUTION = 1.5
KINDS = (Model.rfr, Model.etr, Model.gbr)


@dataclass(frozen=True)
class Task:
    """A regression to solve, with honest errors and intervals.

    Attributes:
        X: (n, p) float32; y: (n,); w: (n,) weights that sum to 1; group: (n,) rows that are held out together.
        X_new: (m, p) rows to predict.
        fold: (n,) number of the fold that holds the row out.
        fold_columns: per fold, the columns chosen without it; columns: those chosen from all rows.
        anchor: what predictions are shrunk to where the trees do not help.
        seed: words that determine all randomness.
        alike: (m, n) how much a training row tells of the error of a row to predict; all alike if None.
    """

    X: Floats32
    y: Floats
    w: Floats
    group: Ints
    X_new: Floats32
    fold: Ints
    fold_columns: tuple[Ints, ...]
    columns: Ints
    model: Model
    estimators: int
    interval: Interval
    anchor: float
    seed: tuple[int, ...]
    alike: Floats | None = None

    @property
    def kinds(self) -> tuple[Model, ...]:
        return KINDS if self.model is Model.all else (self.model,)

    @property
    def n_folds(self) -> int:
        return len(self.fold_columns)


@dataclass(frozen=True)
class Part:
    """What one learner sees and predicts, columns chosen; `fold` is -1 for the final one."""

    fold: int
    X: Floats32
    y: Floats
    w: Floats
    group: Ints
    X_new: Floats32

    @classmethod
    def of(cls, task: Task, fold: int) -> "Part":
        if fold < 0:
            columns = task.columns
            return cls(fold, _pick(task.X, columns), task.y, task.w, task.group, _pick(task.X_new, columns))
        held, columns = task.fold == fold, task.fold_columns[fold]
        X, X_held = _pick(task.X[~held], columns), _pick(task.X[held], columns)
        return cls(fold, X, task.y[~held], task.w[~held], task.group[~held], X_held)


def _pick(X: Floats32, columns: Ints) -> Floats32:
    return np.ascontiguousarray(X[:, columns])


@dataclass(frozen=True)
class Grown:
    """A forest with the part it grew on; `leaves` (n_trees, n_new) are those of the part's new rows."""

    part: Part
    forest: Forest
    leaves: Ints


@dataclass(frozen=True)
class Choice:
    """The kind and depth that answered, and what they said of rows they had not seen.

    Attributes:
        honest: (n,) held-out predictions of the training rows. The choice that predicts a fold was made from the errors
            on the other folds, so that choosing does not flatter them.
        shrink: 0..1, how far predictions go from the anchor to the trees.
        forests: by fold; none of boosting.
    """

    kind: Model
    depth: int | None
    honest: Floats
    shrink: float
    forests: dict[int, Grown]


def depths_of(kind: Model) -> tuple[int | None, ...]:
    return BOOSTED_DEPTHS if kind is Model.gbr else DEPTHS


def choose(task: Task) -> Choice:
    """Cross-validate every kind at every depth.

    Cross-validation rather than out-of-bag errors because it also covers tiny forests, where many rows are in
    every bag, the repeated choice of predictors, and boosting. Fold forests stop at `FOLD_TREES` trees.
    """
    candidates = [(kind, depth) for kind in task.kinds for depth in depths_of(kind)]
    held_out = np.empty((len(candidates), len(task.y)))
    forests: dict[tuple[Model, int], Grown] = {}
    for fold in range(task.n_folds):
        part, held = Part.of(task, fold), task.fold == fold
        if not held.any():
            continue
        row = 0
        for number, kind in enumerate(task.kinds):
            with progress.share(fold * len(task.kinds) + number, task.n_folds * len(task.kinds)):
                curve, grown = _curve(task, part, kind)
            held_out[row : row + len(curve), held] = curve
            row += len(curve)
            if grown is not None:
                forests[kind, fold] = grown
    losses = task.w * (task.y - held_out) ** 2
    by_fold = np.stack([losses[:, task.fold == fold].sum(axis=1) for fold in range(task.n_folds)], axis=1)
    total = by_fold.sum(axis=1)
    best = int(total.argmin())
    elsewhere = (total[:, None] - by_fold).argmin(axis=0)
    honest = held_out[elsewhere[task.fold], np.arange(len(task.y))]
    shrink = worth(honest - task.anchor, task.y - task.anchor, task.w, task.group)
    kind, depth = candidates[best]
    return Choice(
        kind,
        depth,
        task.anchor + shrink * (honest - task.anchor),
        shrink,
        {fold: grown for (of, fold), grown in forests.items() if of is kind},
    )


def _curve(task: Task, part: Part, kind: Model) -> tuple[Floats, Grown | None]:
    """Predictions of the part's new rows at each depth of the kind, (n_depths, n_new)."""
    state = seeded(*task.seed, KINDS.index(kind), part.fold + 1)
    if kind is Model.gbr:
        rows = []
        for number, depth in enumerate(BOOSTED_DEPTHS):
            with progress.share(number, len(BOOSTED_DEPTHS)):
                model = Boosted.grow(part.X, part.y, part.w, task.estimators, depth, state)
                rows.append(model.predict(part.X_new))
        return np.stack(rows), None
    n_trees = min(task.estimators, FOLD_TREES)
    forest = Forest.grow(kind, part.X, part.y, part.w, part.group, n_trees, state)
    leaves = forest.apply(part.X_new)
    return forest.curve(leaves), Grown(part, forest, leaves)


def worth(moved: Floats, wanted: Floats, w: Floats, group: Ints) -> float:
    """The factor 0..1 by which held-out predictions are best multiplied, less its standard error.

    Predictions that do not show what they are worth on held-out countries are noise. The standard error is that of
    least squares with errors that belong together inside a group.

    Args:
        moved: (n,) predicted departures from a known middle; wanted: (n,) the true ones; w: (n,) weights.
    """
    power = float((w * moved * moved).sum())
    if power <= 0:
        return 0.0
    factor = float((w * moved * wanted).sum()) / power
    _, member = np.unique(group, return_inverse=True)
    pulls = np.bincount(member, weights=w * moved * (wanted - factor * moved))
    return float(np.clip(factor - CAUTION * np.sqrt((pulls**2).sum()) / power, 0.0, 1.0))


@dataclass(frozen=True)
class Final:
    """The learner of all rows: its predictions (m,), already shrunk, and its importances over the task's columns."""

    centre: Floats
    importances: Floats
    part: Part
    grown: Grown | None


def finish(task: Task, choice: Choice, least_trees: int = 0) -> Final:
    """Grow the chosen kind on all rows; a forest gets at least `least_trees` trees, of which the first count."""
    part = Part.of(task, -1)
    state = seeded(*task.seed, KINDS.index(choice.kind), 0)
    grown = None
    if choice.kind is Model.gbr:
        depth = choice.depth or BOOSTED_DEPTHS[0]
        model = Boosted.grow(part.X, part.y, part.w, task.estimators, depth, state)
        raw, importances = model.predict(part.X_new), model.importances
    else:
        n_trees = max(task.estimators, least_trees)
        forest = Forest.grow(choice.kind, part.X, part.y, part.w, part.group, n_trees, state)
        grown = Grown(part, forest, forest.apply(part.X_new))
        nodes = forest.cut(grown.leaves, choice.depth)
        raw, importances = forest.value[nodes][: task.estimators].mean(axis=0), forest.importances
    return Final(task.anchor + choice.shrink * (raw - task.anchor), importances, part, grown)


def folds(group: Ints, sids: Mask, n_folds: int, state: np.random.RandomState) -> Ints:
    """Number of the fold of each row (n,): countries dealt out in random order, small island states first."""
    countries, first = np.unique(group, return_index=True)
    shuffled = state.permutation(len(countries))
    dealt = np.concatenate([shuffled[sids[first[shuffled]]], shuffled[~sids[first[shuffled]]]])
    number = np.empty(len(countries), np.int64)
    number[dealt] = np.arange(len(countries)) % n_folds
    picked: Ints = number[np.searchsorted(countries, group)]
    return picked
