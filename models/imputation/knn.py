"""Level 1 by nearest neighbours: sklearn's MinMaxScaler + KNNImputer, with columns that can be left out cheaply."""

from dataclasses import dataclass

import numpy as np

from models.imputation.spec import Floats, Ints, Mask

NEIGHBOURS = 5
_LOOK = 32
_CHUNK = 48


def scale_columns(values: Floats) -> Floats:
    """Each column of `values` (n, p) to 0..1, NaN kept; constant columns to 0, as sklearn's MinMaxScaler."""
    seen = np.isfinite(values)
    low = np.where(seen, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(seen, values, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(np.isfinite(low), low, 0.0)
    width = np.where(np.isfinite(high), high, 0.0) - low
    return (values - low) / np.where(width > 10 * np.finfo(float).eps, width, 1.0)


def _pair_sums(scaled: Floats) -> tuple[Floats, Floats]:
    """Squared differences summed over the columns both rows have, and their number: two (n, n)."""
    mask = np.isfinite(scaled).astype(np.float64)
    zeros = np.where(mask > 0, scaled, 0.0)
    squares = (zeros * zeros) @ mask.T
    return squares + squares.T - 2.0 * (zeros @ zeros.T), mask @ mask.T


@dataclass(frozen=True)
class KnnState:
    """The scaled matrix of a year and, per pair of countries, the sum and count behind their nan-euclidean distance.

    Leaving columns out subtracts their part from both (Troyanskaya et al. 2001 for the method).

    Attributes:
        scaled: (n_countries, n_columns) in 0..1, NaN missing.
        squares, counts: (n_countries, n_countries).
    """

    scaled: Floats
    observed: Mask
    squares: Floats
    counts: Floats

    @classmethod
    def build(cls, values: Floats) -> "KnnState":
        """From (n_countries, n_columns) in any units, NaN missing."""
        scaled = scale_columns(values)
        squares, counts = _pair_sums(scaled)
        return cls(scaled, np.isfinite(scaled), squares, counts)

    @property
    def nbytes(self) -> int:
        return self.scaled.nbytes + self.observed.nbytes + self.squares.nbytes + self.counts.nbytes

    def _neighbours(self, rows: Ints, without: Ints) -> tuple[Ints, Ints]:
        """For each of `rows` all countries by distance (r, n) and how many of them have a distance at all (r,)."""
        squares, counts = self.squares, self.counts
        if len(without):
            less_squares, less_counts = _pair_sums(self.scaled[:, without])
            squares, counts = squares - less_squares, counts - less_counts
        squares, counts = squares[rows], counts[rows]
        known = counts > 0
        # The mean squared difference orders the rows as sklearn's distance does: they differ by a constant factor.
        distance = np.where(known, np.maximum(squares, 0.0) / np.where(known, counts, 1.0), np.inf)
        return np.argsort(distance, axis=1, kind="stable"), known.sum(axis=1)

    def fill(self, wanted: Ints, without: Ints) -> Floats:
        """The wanted columns without gaps.

        Args:
            wanted: (k,) column positions.
            without: (q,) column positions that must not influence the answer.

        Returns:
            (n_countries, k) scaled to 0..1.
        """
        filled: Floats = self.scaled[:, wanted]
        observed = self.observed[:, wanted]
        rows = np.flatnonzero(~observed.all(axis=1))
        if not len(rows):
            return filled
        seen = np.where(observed, filled, 0.0)
        means = seen.sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
        order, reachable = self._neighbours(rows, without)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            columns = np.flatnonzero(~observed[rows[part]].all(axis=0))
            estimate = _average(order[part], reachable[part], seen[:, columns], observed[:, columns], means[columns])
            block = np.ix_(rows[part], columns)
            filled[block] = np.where(observed[block], filled[block], estimate)
        return filled


def _average(order: Ints, reachable: Ints, seen: Floats, observed: Mask, means: Floats) -> Floats:
    """Mean of the nearest five that have the column, (r, k); of fewer where there are no five; else the mean."""
    look = min(_LOOK, order.shape[1])
    total, count = _nearest(order[:, :look], reachable, seen, observed)
    short = (count < NEIGHBOURS).any(axis=1) & (reachable > look)
    if short.any():
        total[short], count[short] = _nearest(order[short], reachable[short], seen, observed)
    return np.where(count > 0, total / np.maximum(count, 1), means)


def _nearest(order: Ints, reachable: Ints, seen: Floats, observed: Mask) -> tuple[Floats, Ints]:
    has = observed[order] & (np.arange(order.shape[1]) < reachable[:, None])[:, :, None]
    take = has & (np.cumsum(has, axis=1, dtype=np.int16) <= NEIGHBOURS)
    return np.einsum("rnk,rnk->rk", take, seen[order]), take.sum(axis=1)
