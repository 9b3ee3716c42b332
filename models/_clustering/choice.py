"""How many clusters there are: as many as lie best apart."""

from dataclasses import dataclass

import numpy as np

from common.serving.blas import one_blas_thread
from models._clustering.prototypes import Clusters, fit, refine
from models._clustering.rows import Floats, Rows
from models._clustering.silhouette import distances, silhouette

# Silhouettes need all pairs of rows: beyond this many, a sample is judged.
SAMPLE = 1500
_ROUND = 9


@dataclass(frozen=True, eq=False)
class Choice:
    """A clustering with its number of clusters chosen, or given.

    Attributes:
        tried: (number of clusters asked for, mean silhouette, cost) of each, ascending; of the sample, if there is one.
        silhouettes: (n,) by row; NaN for rows outside the sample.
        sampled: whether silhouettes are of a sample.
    """

    clusters: Clusters
    tried: tuple[tuple[int, float, float], ...]
    silhouettes: Floats
    sampled: bool

    @property
    def silhouette(self) -> float:
        """The mean over the rows that have one."""
        return float(np.nanmean(self.silhouettes))


def choose(rows: Rows, numbers: range, *, seed: int = 0, starts: int = 10) -> Choice:
    """The clustering whose mean silhouette is largest; of equal ones that with fewer clusters.

    More rows than `SAMPLE` are clustered as a random sample first, and all of them from the middles found there.

    Args:
        numbers: of clusters to try; one that exceeds the number of distinct rows is passed over, but for the first.
    """
    one_blas_thread()
    every = np.arange(len(rows))
    sampled = len(rows) > SAMPLE
    places = np.sort(np.random.default_rng(seed).permutation(every)[:SAMPLE]) if sampled else every
    part = rows.take(places) if sampled else rows
    distinct = len(np.unique(np.hstack([np.where(part.seen > 0, part.numbers, np.inf), part.codes]), axis=0))
    apart = distances(part)
    found: list[tuple[int, float, Clusters]] = []
    for k in numbers:
        if k > distinct and found:
            break
        clusters = fit(part, min(k, len(part)), seed=seed, starts=starts)
        found.append((k, round(float(silhouette(apart, clusters.labels).mean()), _ROUND), clusters))
    _, _, best = max(found, key=lambda item: item[1])
    if sampled:
        best = refine(rows, best.prototypes)
    silhouettes = np.full(len(rows), np.nan)
    silhouettes[places] = silhouette(apart, best.labels[places])
    return Choice(best, tuple((k, mean, item.cost) for k, mean, item in found), silhouettes, sampled)
