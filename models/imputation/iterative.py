"""Level 1 by chained equations with extra trees (van Buuren 2011; missForest, Stekhoven and Buehlmann 2012)."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.growing import Grower
from models.imputation.knn import KnnState
from models.imputation.spec import Floats, Ints, Mask

RELATED = 20
TREES = 10
ROUNDS = 3


@dataclass(frozen=True)
class IterativeState:
    """The imputed matrix of a year, and from which columns each column was estimated.

    Columns are predicted in turn by extra trees from the `RELATED` columns they correlate with most, beginning with
    the column that misses least, starting from the neighbours' fill.

    Attributes:
        filled: (n_countries, n_columns) scaled to 0..1.
        related: (n_columns, n_columns) column positions by falling absolute correlation, the column itself excluded
            (moved last).
    """

    knn: KnnState
    filled: Floats
    related: Ints
    seed: int

    @classmethod
    def build(cls, knn: KnnState, seed: int = 7) -> "IterativeState":
        """Seconds for hundreds of columns; done once for a year."""
        n_columns = knn.scaled.shape[1]
        filled = knn.fill(np.arange(n_columns), np.zeros(0, np.int64))
        related = _related(filled)
        gaps = (~knn.observed).sum(axis=0)
        turns = [int(j) for j in np.argsort(gaps, kind="stable") if gaps[j] and gaps[j] < len(filled)]
        for turn in range(ROUNDS):
            for number, column in enumerate(turns):
                progress.report((turn + number / len(turns)) / ROUNDS)
                sources = filled[:, related[column, : min(RELATED, n_columns - 1)]]
                _estimate(filled, column, knn.observed[:, column], sources, (seed, turn, column))
        return cls(knn, filled, related, seed)

    @property
    def nbytes(self) -> int:
        return self.knn.nbytes + self.filled.nbytes + self.related.nbytes

    def fill(self, wanted: Ints, without: Ints) -> Floats:
        """The wanted columns without gaps, uninfluenced by the columns left out.

        A column that was estimated from a column left out is estimated again from others; where those in turn lean on
        a column left out, their gaps are first filled by neighbours.

        Args:
            wanted: (k,) column positions.
            without: (q,) column positions that must not influence the answer.

        Returns:
            (n_countries, k) scaled to 0..1.
        """
        if not len(without):
            return self.filled[:, wanted].copy()
        used = self.related[:, : min(RELATED, len(self.related) - 1)]
        tainted: Mask = np.asarray(np.isin(used, without).any(axis=1))
        base = self.filled.copy()
        again = np.flatnonzero(tainted)
        base[:, again] = self.knn.fill(again, without)
        result = base.copy()
        affected = np.unique(wanted[tainted[wanted]])
        for number, column in enumerate(affected):
            progress.report(number / len(affected))
            allowed = self.related[column]
            allowed = allowed[~np.isin(allowed, without) & (allowed != column)][:RELATED]
            observed = self.knn.observed[:, column]
            if len(allowed) and not observed.all():
                estimate = base[:, [column]]
                _estimate(estimate, 0, observed, base[:, allowed], (self.seed, ROUNDS, int(column)))
                result[:, column] = estimate[:, 0]
        return result[:, wanted]


def _related(filled: Floats) -> Ints:
    centred = filled - filled.mean(axis=0)
    norms = np.sqrt((centred * centred).sum(axis=0))
    centred = centred / np.where(norms > 1e-12, norms, np.inf)
    alike = np.round(np.abs(centred.T @ centred), 9)
    np.fill_diagonal(alike, -1.0)
    return np.argsort(-alike, axis=1, kind="stable")


def _estimate(matrix: Floats, column: int, observed: Mask, sources: Floats, seed: tuple[int, int, int]) -> None:
    """Replace the unobserved cells of a column in place by the mean of extra trees grown on the observed rows."""
    if not sources.shape[1] or not observed.any() or observed.all():
        return
    X = np.ascontiguousarray(sources[observed], dtype=np.float32)
    X_gaps = np.ascontiguousarray(sources[~observed], dtype=np.float32)
    y = matrix[observed, column]
    state = np.random.RandomState(np.random.SeedSequence(seed).generate_state(4))
    total = np.zeros(len(X_gaps))
    # sklearn's ExtraTreeRegressor looks at all features by default.
    grower = Grower(X, "random", max_features=X.shape[1], min_leaf=2, state=state)
    for _ in range(TREES):
        total += grower.grow(y).predict(X_gaps)[:, 0]
    matrix[~observed, column] = total / TREES
