"""Kernel ridge regression on many columns, each counted by how closely it follows the target; and its mix with trees.

Hundreds of indicators tell of a few dozen countries; most say nothing of the target, a few nearly repeat it. A column's
share in the linear kernel is its correlation with the target to a power, so that it fades unless it follows (sure
independence screening, Fan and Lv 2008, made soft). The power and the ridge are chosen by cross-validation, with the
correlations computed anew in every fold.
"""

from dataclasses import dataclass

import numpy as np

from models.imputation.spec import Floats, Ints

POWERS = (1, 4, 16)
RIDGES = np.array([0.001, 0.01, 0.1, 1.0])
# How far beyond the countries learnt from a prediction may go, in their range.
BEYOND = 0.25
# Stacking weights: `PRIOR` rows say that each of m members counts `DRAWN_TO` / m.
PRIOR = 3.0
DRAWN_TO = 0.9
# What the kernel counts at least, so that countries of which the trees know nothing still differ.
LEAST = 0.05


@dataclass(frozen=True)
class Member:
    """One way to predict: held-out predictions of the training rows (n,), and those of the rows asked for (m,)."""

    honest: Floats
    new: Floats


def ridge(Z: Floats, y: Floats, w: Floats, fold: Ints, Z_new: Floats) -> Member:
    """Cross-validated kernel ridge regression.

    The choice that predicts a fold was made from the errors on the other folds, so that choosing does not flatter.

    Args:
        Z: (n, p) on one scale; y: (n,); w: (n,) weights that sum to 1; fold: (n,); Z_new: (m, p).
    """
    n_folds = int(fold.max()) + 1
    held_out = np.full((len(POWERS) * len(RIDGES), len(y)), np.average(y, weights=w))
    for k in range(n_folds):
        held = fold == k
        if held.any() and not held.all():
            held_out[:, held] = _paths(Z[~held], y[~held], w[~held], Z[held])
    losses = w * (y - held_out) ** 2
    by_fold = np.stack([losses[:, fold == k].sum(axis=1) for k in range(n_folds)], axis=1)
    total = by_fold.sum(axis=1)
    elsewhere = (total[:, None] - by_fold).argmin(axis=0)
    new = _paths(Z, y, w, Z_new)[int(total.argmin())]
    return Member(held_out[elsewhere[fold], np.arange(len(y))], new)


def _paths(Z: Floats, y: Floats, w: Floats, Z_new: Floats) -> Floats:
    """Predictions (n_powers * n_ridges, m) by every choice."""
    w = w / w.sum()
    middle = float(w @ y)
    spread = float(np.sqrt(w @ (y - middle) ** 2))
    found = np.full((len(POWERS), len(RIDGES), len(Z_new)), middle)
    if spread > 0 and Z.shape[1]:
        target = (y - middle) / spread
        centre = w @ Z
        A, B = Z - centre, Z_new - centre
        follows = _following(A, target, w)
        for i, power in enumerate(POWERS):
            share = follows**power
            X, X_new = A * share, B * share
            size = max(float(np.sqrt(w @ (X * X).sum(axis=1))), 1e-150)
            found[i] = middle + spread * _solved(X / size, target, X_new / size)
    drawn = _drawn_in(found, float(y.min()), float(y.max()))
    return drawn.reshape(len(POWERS) * len(RIDGES), len(Z_new))


def _drawn_in(values: Floats, low: float, high: float) -> Floats:
    """Values outside a range nearer to it, the farther the more, never by more than `BEYOND`; none become equal."""
    inside = np.clip(values, low, high)
    reach = max(BEYOND * (high - low), np.finfo(float).tiny)
    beyond = values - inside
    drawn: Floats = inside + beyond * (reach / (reach + np.abs(beyond)))
    return drawn


def _solved(X: Floats, target: Floats, X_new: Floats) -> Floats:
    """Ridge predictions (n_ridges, m), from the smaller of the two Gram matrices."""
    wide = X.shape[1] > len(X)
    sizes, vectors = np.linalg.eigh(X @ X.T if wide else X.T @ X)
    towards = target if wide else X.T @ target
    damped = (vectors.T @ towards) / (np.maximum(sizes, 0.0) + RIDGES[:, None])
    basis = X.T @ vectors if wide else vectors
    predicted: Floats = damped @ (X_new @ basis).T
    return predicted


def _following(A: Floats, target: Floats, w: Floats) -> Floats:
    """|r| of each centred column with the standardised target, over the largest of them: (p,)."""
    variance = w @ (A * A)
    defined = variance > 1e-12
    r = np.where(defined, np.abs((w * target) @ A) / np.sqrt(np.where(defined, variance, 1.0)), 0.0)
    largest = float(r.max(initial=0.0))
    share: Floats = r / largest if largest > 0 else np.ones(len(r))
    return share


def stacked(y: Floats, w: Floats, fold: Ints, trees: Member, kernel: Member) -> tuple[Member, float]:
    """Both together by non-negative least squares (Wolpert 1992; Breiman 1996), and the weight of the trees.

    What a fold is predicted with was learnt without it.

    Args:
        y: (n,); w: (n,) weights that sum to 1; fold: (n,).
    """
    middle = float(np.average(y, weights=w))
    told = np.column_stack([trees.honest, kernel.honest]) - middle
    honest = np.empty(len(y))
    for k in range(int(fold.max()) + 1):
        held = fold == k
        honest[held] = told[held] @ stacking_weights(told[~held], y[~held] - middle, w[~held])
    weights = stacking_weights(told, y - middle, w)
    new = np.column_stack([trees.new, kernel.new]) - middle
    return Member(middle + honest, middle + new @ weights), float(weights[0])


def stacking_weights(told: Floats, target: Floats, w: Floats) -> Floats:
    """Weights (2,) of two members by non-negative least squares, in closed form.

    SciPy's would cost half a second of imports in the first prediction of a process.

    Args:
        told: (n, 2) what each member said, target: (n,) what was right, both off the middle; w: (n,) weights.
    """
    power = float(w @ target**2) if len(target) else 0.0
    if power <= 0:
        return np.full(2, DRAWN_TO / 2)
    prior = PRIOR / len(target)
    gram = told.T @ (w[:, None] * told) / power + prior * np.eye(2)
    towards = told.T @ (w * target) / power + prior * DRAWN_TO / 2
    weights = np.asarray(np.linalg.solve(gram, towards), dtype=np.float64)
    if weights.min() < 0:
        # One of them is left out: the one without which the loss is less.
        alone = np.maximum(towards / np.diag(gram), 0.0)
        better = int((alone * towards).argmax())
        weights = np.where(np.arange(2) == better, alone, 0.0)
    return np.maximum(weights, [0.0, LEAST])
