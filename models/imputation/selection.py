"""Which predictors to use: recursive elimination by forest importance, or principal components."""

import numpy as np

from common.serving import progress
from models.imputation.growing import Grower
from models.imputation.spec import Floats, Floats32, Ints
from models.imputation.trees import seeded, tried_features

KEEP = 0.5
TREES = 24


def eliminate(X: Floats32, y: Floats, w: Floats, number: int, seed: tuple[int, ...]) -> Ints:
    """Positions (ascending) of the `number` columns that survive when the less important half goes, again and again.

    Importance is the impurity decrease in extra trees on bootstrap samples: they need no sorting, which counts with
    hundreds of columns.

    Args:
        X: (n, p) float32; y, w: (n,).
    """
    left = np.arange(X.shape[1])
    state = seeded(*seed, 5)
    while len(left) > number:
        # The first round, of all columns, costs the most; each later one halves what is left.
        progress.report(1.0 - (len(left) - number) / (X.shape[1] - number))
        part = np.ascontiguousarray(X[:, left])
        importances = np.zeros(len(left))
        grower = Grower(part, "random", max_features=tried_features(len(left)), min_leaf=3, state=state)
        for _ in range(TREES):
            counts = np.bincount(state.randint(len(y), size=len(y)), minlength=len(y))
            importances += grower.grow(y, w * counts).compute_feature_importances()
        keep = max(number, int(len(left) * KEEP))
        left = np.sort(left[np.argsort(-importances, kind="stable")[:keep]])
    return left


def principal(filled: Floats, number: int) -> Ints:
    """Positions of the columns that carry the first `number` principal components.

    Columns are standardised; each component in turn takes the column with its largest absolute loading that is not
    taken yet. The answer stays a list of indicators, so it can be read and asked for by hand. Beyond the rank, the
    columns with the largest loadings overall follow.

    Args:
        filled: (n_countries, p) without gaps.
    """
    centred = filled - filled.mean(axis=0)
    spread = centred.std(axis=0)
    standard = centred / np.where(spread > 1e-12, spread, np.inf)
    _, sizes, loadings = np.linalg.svd(standard, full_matrices=False)
    rank = int((sizes > 1e-9 * max(float(sizes[0]), 1e-300)).sum()) if len(sizes) else 0
    strength = np.round(np.abs(loadings[:rank]), 9)
    free = np.ones(filled.shape[1], bool)
    taken: list[int] = []
    for component in strength[:number]:
        position = int(np.where(free, component, -1.0).argmax())
        free[position] = False
        taken.append(position)
    if len(taken) < number:
        overall = np.where(free, np.round((sizes[:rank, None] * strength).sum(axis=0), 6), -1.0)
        taken += [int(j) for j in np.argsort(-overall, kind="stable")[: number - len(taken)]]
    return np.sort(np.array(taken, dtype=np.int64))


def correlation(filled: Floats) -> Floats:
    """Pearson r of the columns of (n_countries, k): (k, k), 1 on the diagonal, 0 where a column is constant."""
    centred = filled - filled.mean(axis=0)
    norms = np.sqrt((centred * centred).sum(axis=0))
    centred = centred / np.where(norms > 1e-12, norms, np.inf)
    r: Floats = np.clip(centred.T @ centred, -1.0, 1.0)
    np.fill_diagonal(r, 1.0)
    return r
