"""Gradient boosting of shallow trees (Friedman 2001), for the mean and for quantiles.

The stages are sklearn's single trees; the loop is ours because its per-stage cost decides the time of small problems.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from common.serving import progress
from models.imputation.growing import Grower
from models.imputation.spec import Floats, Floats32
from models.imputation.trees import normalised, tried_features
from models.imputation.weights import weighted_quantile

DEPTHS = (2, 3, 5)
MIN_LEAF = 3


def learning_rate(n_stages: int) -> float:
    """0.1 from fifty stages on, more where there are too few stages to get anywhere with that."""
    return float(np.clip(5.0 / n_stages, 0.1, 0.5))


@dataclass(frozen=True)
class Boosted:
    """A sum of trees.

    Attributes:
        start: the constant before the first tree.
        trees: sklearn trees; ``values`` holds, per tree, (n_nodes,) what each leaf adds.
    """

    start: float
    trees: tuple[Any, ...]
    values: tuple[Floats, ...]
    importances: Floats

    @classmethod
    def grow(
        cls,
        X: Floats32,
        y: Floats,
        w: Floats,
        n_stages: int,
        depth: int,
        state: np.random.RandomState,
        level: float | None = None,
    ) -> "Boosted":
        """Fit the mean under squared error, or with `level` that quantile under the pinball loss.

        Args:
            X: (n, p) C-contiguous float32; y: (n,); w: (n,) weights, zero for rows out of the bag.
        """
        start = float(np.average(y, weights=w)) if level is None else weighted_quantile(y, w, level)
        rate = learning_rate(n_stages)
        current = np.full(len(y), start)
        trees, values = [], []
        importances = np.zeros(X.shape[1])
        grower = Grower(
            X, "best", max_features=tried_features(X.shape[1]), min_leaf=MIN_LEAF, max_depth=depth, state=state
        )
        for stage in range(n_stages):
            progress.report(stage / n_stages)
            residual = y - current
            slope = residual if level is None else np.where(residual > 0, level, level - 1.0)
            tree = grower.grow(slope, w)
            leaves = tree.apply(X)
            step = rate * tree.value[:, 0, 0]
            if level is not None:
                step = rate * _leaf_quantiles(tree.node_count, leaves, residual, w, level)
            current = current + step[leaves]
            trees.append(tree)
            values.append(step)
            importances += tree.compute_feature_importances()
        return cls(start, tuple(trees), tuple(values), normalised(importances))

    def predict(self, X: Floats32) -> Floats:
        """(n_rows,)"""
        total = np.full(len(X), self.start)
        if len(X):
            for tree, value in zip(self.trees, self.values, strict=True):
                total += value[tree.apply(X)]
        return total


def _leaf_quantiles(n_nodes: int, leaves: Any, residual: Floats, w: Floats, level: float) -> Floats:
    """The weighted quantile of the residuals in each leaf, by one sort over all leaves."""
    order = np.lexsort((residual, leaves))
    ordered, mass = leaves[order], w[order]
    reached = np.cumsum(mass)
    totals = np.bincount(leaves, weights=w, minlength=n_nodes)
    before = np.concatenate(([0.0], np.cumsum(totals)[:-1]))
    enough = reached - before[ordered] >= level * totals[ordered] - 1e-12
    gains = np.zeros(n_nodes)
    hits = np.flatnonzero(enough)[::-1]
    gains[ordered[hits]] = residual[order[hits]]
    return gains
