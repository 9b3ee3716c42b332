"""K-means, k-modes and k-prototypes on what is observed.

The cost of a clustering is the sum, over observed entries only, of squared distances of numbers to the mean and of
gamma times the mismatches of categories with the mode of their cluster. For numbers that is the cost of k-POD (Chi, Chi
and Baraniuk 2016, "k-POD: a method for k-means clustering of missing data", The American Statistician 70); without gaps
it is k-means. For categories it is that of k-modes (Huang 1998, Data Mining and Knowledge Discovery 2), for both that
of k-prototypes (Huang 1997, PAKDD).

k-POD lowers it by filling gaps from the cluster and running k-means, which holds a row to its cluster by what was
filled in. Here rows go at once to the prototype that is nearest in what is observed, which ends no higher and found
planted clusters more often (`tests/models/clustering/test_prototypes.py` compares them).
"""

from dataclasses import dataclass

import numpy as np

from models._clustering.rows import Floats, Ints, Prototypes, Rows

_ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Clusters:
    """A clustering; the largest cluster is 0, of equally large ones that with the earlier row comes first.

    Attributes:
        labels: (n,) from 0; there may be fewer clusters than were asked for, where rows are alike.
        prototypes: their middles.
        cost: what is minimised.
        distance: (n,) of each row to its own middle; sums to the cost.
    """

    labels: Ints
    prototypes: Prototypes
    cost: float
    distance: Floats

    @property
    def k(self) -> int:
        return len(self.prototypes.numbers)


def fit(rows: Rows, k: int, *, seed: int = 0, starts: int = 10) -> Clusters:
    """The least costly of `starts` descents, each from k rows spread out by greedy k-means++ (Arthur, Vassilvitskii
    2007).

    Equal arguments give equal clusters.

    Args:
        k: 1 to the number of rows.
    """
    found = (
        refine(rows, _spread_out(rows, k, np.random.default_rng((seed, k, start))))
        for start in range(1 if k == 1 else starts)
    )
    return min(found, key=lambda clusters: clusters.cost)


def refine(rows: Rows, prototypes: Prototypes) -> Clusters:
    """Descend from given middles: rows to the nearest, middles to their rows, until no row moves."""
    labels = np.full(len(rows), -1)
    for _ in range(_ROUNDS):
        unlike = rows.dissimilarity(prototypes)
        nearest = _fill_empty(unlike, unlike.argmin(axis=1))
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        prototypes = rows.prototypes(labels, int(labels.max()) + 1)
    return _numbered(rows, labels, prototypes)


def _spread_out(rows: Rows, k: int, rng: np.random.Generator) -> Prototypes:
    """k rows as middles. Candidates are drawn with a chance proportional to their dissimilarity to those chosen before,
    and the one that leaves the least is chosen."""
    chosen = [int(rng.integers(len(rows)))]
    nearest = rows.dissimilarity(rows.as_prototypes(np.array(chosen)))[:, 0]
    n_candidates = 2 + int(np.log(k))
    while len(chosen) < k:
        reached = np.cumsum(nearest)
        if reached[-1] > 0:
            candidates = np.searchsorted(reached, rng.random(n_candidates) * reached[-1], side="right")
        else:
            candidates = rng.integers(len(rows), size=n_candidates)
        left = np.minimum(nearest[:, None], rows.dissimilarity(rows.as_prototypes(candidates)))
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(candidates[best]))
        nearest = left[:, best]
    return rows.as_prototypes(np.array(chosen))


def _fill_empty(unlike: Floats, labels: Ints) -> Ints:
    """Each cluster without rows gets the row that fits its own worst; one that still has none is left out."""
    sizes = np.bincount(labels, minlength=unlike.shape[1])
    if sizes.all():
        return labels
    far = unlike[np.arange(len(labels)), labels]
    for empty in np.flatnonzero(sizes == 0):
        movable = np.where(sizes[labels] > 1, far, 0.0)
        row = int(movable.argmax())
        if movable[row] <= 0:
            break
        sizes[labels[row]] -= 1
        labels[row], sizes[empty], far[row] = empty, 1, 0.0
    return np.unique(labels, return_inverse=True)[1]


def _numbered(rows: Rows, labels: Ints, prototypes: Prototypes) -> Clusters:
    _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    moved = Prototypes(prototypes.numbers[order], prototypes.modes[order])
    labels = place[labels]
    distance = rows.dissimilarity(moved)[np.arange(len(rows)), labels]
    return Clusters(labels, moved, float(distance.sum()), distance)
