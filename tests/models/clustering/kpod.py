"""k-POD as its authors describe it, to compare with: fill the gaps from the cluster, run k-means, and again."""

import numpy as np
from sklearn.cluster import KMeans

from models._clustering.rows import Floats, Ints


def kpod(z: Floats, seen: Floats, k: int, starts: int) -> tuple[Ints, float]:
    """The labels of the best start, and their cost over what is observed.

    Args:
        z: (n, p) scaled, 0 in gaps; seen: (n, p) 1.0 where observed.
    """
    found = []
    for start in range(starts):
        filled, labels = z.copy(), np.full(len(z), -1)
        for _ in range(100):
            means = KMeans(k, n_init=1, random_state=start).fit(filled)
            middles = means.cluster_centers_[means.labels_]
            filled = np.where(seen > 0, z, middles)
            if np.array_equal(means.labels_, labels):
                break
            labels = means.labels_
        found.append((labels, float((seen * np.square(z - middles)).sum())))
    return min(found, key=lambda item: item[1])
