"""Rows to cluster, and how unlike a prototype they are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A spread below this part of the largest value is rounding, not variation.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The middles of k clusters: (k, p) means of the numbers, (k, q) most frequent levels of the categories."""

    numbers: Floats
    modes: Ints


@dataclass(frozen=True, eq=False)
class Rows:
    """Scaled numbers and coded categories, either with gaps; p or q may be 0.

    Attributes:
        numbers: (n, p) scaled to mean 0 and variance 1, 0 where not observed.
        seen: (n, p) 1.0 where observed, else 0.0.
        codes: (n, q) levels, -1 where not answered. Each level of each category has a number of its own: those of
            category j are starts[j] up to the next start, the most frequent first.
        starts: (q,) first level of each category.
        n_levels: of all categories together.
        gamma: what a mismatch counts, in squared units of the numbers.
    """

    numbers: Floats
    seen: Floats
    codes: Ints
    starts: Ints
    n_levels: int
    gamma: float = 1.0

    @classmethod
    def of_numbers(cls, numbers: Floats, seen: Floats) -> "Rows":
        """Rows without categories."""
        return cls(numbers, seen, np.empty((len(numbers), 0), np.int64), np.empty(0, np.int64), 0)

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Ints) -> "Rows":
        """Some of the rows; levels keep their numbers."""
        part = self.numbers[rows], self.seen[rows], self.codes[rows]
        return Rows(*part, self.starts, self.n_levels, self.gamma)

    @property
    def n_categories(self) -> int:
        return int(self.codes.shape[1])

    @cached_property
    def _squares(self) -> Floats:
        """(n, 1) sum of squares of the numbers."""
        squares: Floats = np.square(self.numbers).sum(axis=1, keepdims=True)
        return squares

    @cached_property
    def _answered(self) -> Floats:
        """(n, 1) categories answered."""
        answered: Floats = (self.codes >= 0).sum(axis=1, keepdims=True).astype(np.float64)
        return answered

    @cached_property
    def _hot(self) -> Any:
        """(n, n_levels) sparse indicator of the levels: its cost does not grow with the number of levels."""
        from scipy.sparse import csr_array

        filled = self.codes >= 0
        ends = np.concatenate(([0], np.cumsum(filled.sum(axis=1))))
        levels = self.codes[filled]
        return csr_array((np.ones(len(levels)), levels, ends), shape=(len(self), self.n_levels))

    def dissimilarity(self, to: Prototypes) -> Floats:
        """(n, k): squared differences of the numbers plus gamma a mismatch, over what is observed of the row."""
        total = self._squares - 2.0 * (self.numbers @ to.numbers.T) + self.seen @ np.square(to.numbers).T
        np.maximum(total, 0.0, out=total)
        if self.n_categories:
            k = len(to.modes)
            wanted = np.zeros((self.n_levels, k))
            wanted[to.modes.T, np.arange(k)] = 1.0
            total += self.gamma * (self._answered - self._hot @ wanted)
        return total

    def prototypes(self, labels: Ints, k: int) -> Prototypes:
        """The middles that cost least for these clusters; where nobody in one was observed, those of all rows."""
        members = np.zeros((k, len(self)))
        members[labels, np.arange(len(self))] = 1.0
        count = members @ self.seen
        means = np.divide(members @ self.numbers, count, out=np.zeros_like(count), where=count > 0)
        if not self.n_categories:
            return Prototypes(means, np.empty((k, 0), np.int64))
        filled = self.codes >= 0
        places = (labels[:, None] * self.n_levels + self.codes)[filled]
        counts = np.bincount(places, minlength=k * self.n_levels).reshape(k, self.n_levels)
        # The largest count wins, of equal ones the level that is more frequent in all rows; no loop over categories.
        rank = counts * self.n_levels + np.arange(self.n_levels - 1, -1, -1)
        best = np.maximum.reduceat(rank, self.starts, axis=1)
        return Prototypes(means, self.n_levels - 1 - best % self.n_levels)

    def as_prototypes(self, rows: Ints) -> Prototypes:
        """Single rows as middles; their gaps take those of all rows, which is mean 0 and the most frequent level."""
        return Prototypes(self.numbers[rows], np.where(self.codes[rows] >= 0, self.codes[rows], self.starts))


def standardise(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Columns brought to mean 0 and variance 1 over what is observed.

    Args:
        values: (n, p) with NaN for gaps; each column needs an observation.

    Returns:
        (n, p) scaled, 0 in gaps and in columns that do not vary; (n, p) 1.0 where observed; (p,) bool, whether the
        column varies.
    """
    seen = np.isfinite(values)
    # First by the largest size, or the squares of very large numbers would overflow.
    largest = np.where(seen, np.abs(values), 0.0).max(axis=0, initial=0.0)
    sized = np.where(seen, values, 0.0) / np.where(largest > 0, largest, 1.0)
    count = np.maximum(seen.sum(axis=0), 1)
    off = np.where(seen, sized - sized.sum(axis=0) / count, 0.0)
    spread = np.sqrt(np.square(off).sum(axis=0) / count)
    varies = spread > _ROUNDING
    return np.where(varies, off / np.where(varies, spread, 1.0), 0.0), seen.astype(np.float64), varies


def balance(codes: Ints, n_levels: int) -> float:
    """Gamma at which a category weighs as much as a number of variance 1, on average.

    One over the mean of the categories' Gini concentrations 1 - sum p² (Szepannek 2018, "clustMixType", The R Journal
    10/2; Huang 1997 leaves gamma to the user). 1 where no category has two levels.
    """
    ginis = []
    for column in codes.T:
        counts = np.bincount(column[column >= 0], minlength=n_levels)
        ginis.append(1.0 - np.square(counts / max(counts.sum(), 1)).sum())
    mean = float(np.mean(ginis)) if ginis else 0.0
    return 1.0 / mean if mean > 0 else 1.0
