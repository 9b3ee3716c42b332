"""Which indicators a question is answered from: candidates, clones left out, and the choice among them."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation import selection
from models.imputation.level1 import Level1
from models.imputation.panel import Panel
from models.imputation.spec import Floats, Floats32, ImputationError, Indicators, Ints, Scheme, Spec


@dataclass(frozen=True)
class Candidates:
    """Indicators that may be used and their filled values.

    Attributes:
        indicators: (p,) indices, for MANUAL in the order asked for.
        filled: (n_countries, p) scaled to 0..1, without gaps.
        clones: indicator indices left out because they repeat the target.
    """

    indicators: Ints
    filled: Floats
    clones: tuple[int, ...]


def candidates(data: Indicators, level1: Level1, clones: Ints, spec: Spec) -> Candidates:
    """Fill what the scheme may choose from, uninfluenced by the target and its clones.

    Args:
        clones: indicator indices of the latter, see `clones.all_clones`.

    Raises:
        ImputationError: for predictors that the year does not allow, or none at all.
    """
    named = np.array(spec.predictors if spec.scheme is Scheme.MANUAL else (), dtype=np.int64)
    clones = level1.columns[np.isin(level1.columns, clones)]
    clones = clones[~np.isin(clones, named)]
    if spec.scheme is Scheme.MANUAL:
        _check_named(data, level1, spec, named)
        wanted = named
    else:
        if spec.number_predictor is None or spec.number_predictor < 1:
            raise ImputationError("number_predictor must be at least 1 unless predictors are given by hand")
        wanted = level1.columns[(level1.columns != spec.target) & ~np.isin(level1.columns, clones)]
    if not len(wanted):
        raise ImputationError(
            f"no indicator can predict {data.indicators[spec.target]} in {spec.year}; try another year"
        )
    filled = level1.fill(wanted, np.append(clones, spec.target))
    return Candidates(wanted, filled, tuple(int(j) for j in clones))


def _check_named(data: Indicators, level1: Level1, spec: Spec, named: Ints) -> None:
    if not len(named) or len(np.unique(named)) != len(named):
        raise ImputationError("give at least one predictor, each once")
    if spec.target in named:
        raise ImputationError("the target cannot be its own predictor")
    missing = [data.indicators[j] for j in named if j not in level1.columns]
    if missing:
        raise ImputationError(f"not observed in enough countries in {spec.year}: {', '.join(missing)}")


def chosen_columns(
    spec: Spec, filled: Floats, X: Floats32, y: Floats, w: Floats, fold: Ints
) -> tuple[Ints, list[Ints]]:
    """Positions among the candidates chosen from all training rows, and chosen again without each fold.

    Only AFS looks at the target, so only AFS chooses anew.

    Args:
        filled: (n_countries, p); X: (n, p) its training rows; y, w, fold: (n,).
    """
    n_folds = int(fold.max()) + 1
    p = filled.shape[1]
    number = p if spec.scheme is Scheme.MANUAL else min(spec.number_predictor or p, p)
    if spec.scheme is Scheme.PCA and number < p:
        columns = selection.principal(filled, number)
    elif spec.scheme is Scheme.AFS and number < p:
        with progress.share(0, n_folds + 1):
            columns = selection.eliminate(X, y, w, number, (spec.seed, 0))
        inner = []
        for k in range(n_folds):
            with progress.share(k + 1, n_folds + 1):
                kept = fold != k
                inner.append(selection.eliminate(X[kept], y[kept], w[kept], number, (spec.seed, k + 1)))
        return columns, inner
    else:
        columns = np.arange(p)
    return columns, [columns] * n_folds


def profiles(panel: Panel, clones: Ints, spec: Spec) -> tuple[Floats, Floats]:
    """All indicators at the year, and how they moved in it, both (n_countries, q).

    Nothing is influenced by the target or by what repeats it, in the year (`clones`) or over the countries' nearest
    years. Where predictors were given by hand, those alone are returned.
    """
    left_out = np.isin(panel.columns, np.append(clones, spec.target))
    if spec.target in panel.columns:
        left_out |= panel.near.repeating(panel.at_year, int(np.searchsorted(panel.columns, spec.target)))
    kept = np.ones(len(panel.columns), bool)
    if spec.scheme is Scheme.MANUAL:
        kept = np.isin(panel.columns, spec.predictors)
        left_out &= ~kept
    kept &= ~left_out
    return panel.complete(np.flatnonzero(left_out), np.flatnonzero(kept)), panel.moves[:, kept]
