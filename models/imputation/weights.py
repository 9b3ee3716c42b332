"""Row weights: small island states and the rest count equally in total; weighted quantiles."""

import numpy as np

from models.imputation.spec import Floats, Mask


def balanced(sids: Mask, share: Floats | None = None) -> Floats:
    """Weights that sum to 1, half of them on the small island states; to 1 on one group where the other is absent.

    Args:
        sids: (n,) the group of each row.
        share: (n,) how much a row counts inside its group, 1 by default.
    """
    weights = np.ones(len(sids)) if share is None else share.astype(np.float64)
    for group in (sids, ~sids):
        total = weights[group].sum()
        if total > 0:
            weights[group] /= total
    weights /= max(weights.sum(), np.finfo(float).tiny)
    return weights


def weighted_quantile(values: Floats, weights: Floats, level: float, beyond: float = 0.0) -> float:
    """The smallest value at which the share of weight reaches `level`; the largest value where it never does.

    `beyond` is weight at plus infinity: the point to be predicted, in weighted conformal prediction
    (Tibshirani, Barber, Candes, Ramdas 2019).
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    need = level * (reached[-1] + beyond)
    return float(values[order[min(int(np.searchsorted(reached, need - 1e-12)), len(order) - 1)]])


def column_quantile(values: Floats, weights: Floats, level: float) -> Floats:
    """`weighted_quantile` of each column of `values` (n, m) under the weights (n,) -> (m,)."""
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0)
    first = (reached >= level * reached[-1] - 1e-12).argmax(axis=0)
    columns = np.arange(values.shape[1])
    picked: Floats = values[order[first, columns], columns]
    return picked


def row_quantile(weights: Floats, values: Floats, level: float) -> Floats:
    """Quantile of ascending `values` (n,) under each row of `weights` (m, n) -> (m,)."""
    reached = np.cumsum(weights, axis=1)
    first = (reached >= level * reached[:, -1:] - 1e-12).argmax(axis=1)
    picked: Floats = values[first]
    return picked
