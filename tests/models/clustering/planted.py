"""Rows with groups that are known beforehand."""

import numpy as np

from models._clustering import Rows, balance, standardise
from models._clustering.rows import Floats, Ints


def numbers(
    rng: np.random.Generator, n: int = 200, p: int = 12, k: int = 4, apart: float = 1.6, missing: float = 0.0
) -> tuple[Ints, Floats]:
    """Group of each row, and (n, p) normal numbers around the group's middle, NaN in gaps; no row is empty."""
    group = np.arange(n) % k
    X = rng.normal(size=(k, p))[group] * apart + rng.normal(size=(n, p))
    gaps = rng.random(X.shape) < missing
    gaps[gaps.all(axis=1), 0] = False
    return group, np.where(gaps, np.nan, X)


def levels(
    rng: np.random.Generator, n: int = 200, q: int = 12, k: int = 4, kept: float = 0.7, missing: float = 0.0
) -> tuple[Ints, Ints]:
    """Group of each row, and (n, q) levels 0 to 3, the group's own with a chance of `kept`; -1 in gaps."""
    group = np.arange(n) % k
    own = np.stack([rng.permutation(4) for _ in range(q)], axis=1)[:k]
    drawn = np.where(rng.random((n, q)) < kept, own[group], rng.integers(0, 4, (n, q)))
    gaps = rng.random(drawn.shape) < missing
    gaps[gaps.all(axis=1), 0] = False
    return group, np.where(gaps, -1, drawn)


def rows(X: Floats | None = None, codes: Ints | None = None) -> Rows:
    """Rows as a model makes them: scaled, levels numbered through."""
    given = X if X is not None else codes
    assert given is not None
    X = np.empty((len(given), 0)) if X is None else X
    codes = np.empty((len(X), 0), np.int64) if codes is None else codes
    z, seen, _ = standardise(X)
    columns, starts, total = [], [], 0
    for column in codes.T:
        known, counts = np.unique(column[column >= 0], return_counts=True)
        place = {int(level): at for at, level in enumerate(known[np.argsort(-counts, kind="stable")])}
        columns.append([place[level] + total if level >= 0 else -1 for level in column.tolist()])
        starts.append(total)
        total += len(known)
    flat = np.array(columns, np.int64).reshape(-1, len(X)).T
    gamma = balance(flat, total) if columns and z.shape[1] else 1.0
    return Rows(z, seen, flat, np.array(starts, np.int64), total, gamma)
