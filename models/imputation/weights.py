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


def conformal_quantile(values: Floats, weights: Floats, level: float) -> float:
    """What one more value, drawn like these, stays below with probability `level`; the largest where none is sure.

    The new one weighs what a value drawn by the weights is expected to (weighted conformal prediction, Tibshirani
    et al. 2019). Between two values it lies in proportion: the next larger one, as usually taken, would cover up to
    one in n more.

    Args:
        values: (n,); weights: (n,) that sum to 1.
    """
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.cumsum(weights[order])
    need = level * (reached[-1] + float(weights @ weights))
    at = int(np.searchsorted(reached, need - 1e-12))
    if at >= len(ordered) or at == 0:
        return float(ordered[min(at, len(ordered) - 1)])
    part = (need - reached[at - 1]) / max(float(reached[at] - reached[at - 1]), 1e-300)
    return float(ordered[at - 1] + min(part, 1.0) * (ordered[at] - ordered[at - 1]))


def row_quantile(weights: Floats, values: Floats, level: float) -> Floats:
    """Quantile of ascending `values` (n,) under each row of `weights` (m, n) -> (m,)."""
    reached = np.cumsum(weights, axis=1)
    first = (reached >= level * reached[:, -1:] - 1e-12).argmax(axis=1)
    picked: Floats = values[first]
    return picked
