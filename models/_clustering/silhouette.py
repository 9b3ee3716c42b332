"""How well apart clusters are: silhouettes (Rousseeuw 1987) on distances over what two rows both have."""

import numpy as np

from models._clustering.rows import Floats, Ints, Rows


def distances(rows: Rows) -> Floats:
    """(n, n): root of the mean, over entries that both rows have, of half the squared difference of numbers and of
    gamma for a mismatch; NaN on the diagonal and where the two share nothing.

    For complete numbers it is proportional to the Euclidean distance, for categories to the root of the share that
    differs (Gower 1971: Euclidean too).
    """
    squares, filled = np.square(rows.numbers), rows.codes >= 0
    total = squares @ rows.seen.T + rows.seen @ squares.T - 2.0 * (rows.numbers @ rows.numbers.T)
    total = np.maximum(total, 0.0) / 2.0
    shared = rows.seen @ rows.seen.T
    if rows.n_categories:
        answered = filled.astype(np.float64)
        both = answered @ answered.T
        same = np.zeros((len(rows), len(rows)), np.int32)
        for column in rows.codes.T:
            same += (column[:, None] == column[None, :]) & (column >= 0)[:, None]
        total += rows.gamma * (both - same)
        shared = shared + both
    np.fill_diagonal(shared, 0.0)
    return np.sqrt(np.divide(total, shared, out=np.full_like(total, np.nan), where=shared > 0))


def silhouette(apart: Floats, labels: Ints) -> Floats:
    """(n,) in -1..1: near 1 for a row well inside its cluster, below 0 for one nearer to another.

    0 for a row alone in its cluster, and for one that shares nothing with its own or with any other.

    Args:
        apart: (n, n) of `distances`.
    """
    defined = np.isfinite(apart)
    members = np.zeros((len(labels), int(labels.max(initial=0)) + 1))
    members[np.arange(len(labels)), labels] = 1.0
    count = defined @ members
    sums = np.where(defined, apart, 0.0) @ members
    mean = np.divide(sums, count, out=np.full_like(count, np.inf), where=count > 0)
    row = np.arange(len(labels))
    own = mean[row, labels]
    mean[row, labels] = np.inf
    other = mean.min(axis=1)
    known = np.isfinite(own) & np.isfinite(other)
    own, other = np.where(known, own, 0.0), np.where(known, other, 0.0)
    larger = np.maximum(own, other)
    found: Floats = np.divide(other - own, larger, out=np.zeros_like(own), where=larger > 0)
    return found
