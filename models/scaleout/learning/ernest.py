"""Ernest: a run time as a non-negative sum of a constant, serial, logarithmic and per-machine part.

t(x) = a + b/x + c·ln x + d·x over the scale-out x, fitted by non-negative least squares. The terms are those of
Venkataraman et al., "Ernest: Efficient Performance Prediction for Large-Scale Advanced Analytics", NSDI 2016, for a
data size that does not change.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ernest:
    """A fitted model.

    Attributes
    ----------
    weights : (4,) of the constant, 1/x, ln x and x; none is negative. Seconds.
    """

    weights: Floats

    @classmethod
    def fit(cls, scale_outs: ArrayLike, runtimes_s: ArrayLike, weights: ArrayLike | None = None) -> "Ernest":
        """
        Parameters
        ----------
        scale_outs : (n,) at least 1.
        runtimes_s : (n,) positive.
        weights : (n,) of the runs; by default each counts by 1/t, so that relative errors count alike.

        Raises
        ------
        ValueError
            There is no run.
        """
        from scipy.optimize import nnls

        x, t = np.asarray(scale_outs, float), np.asarray(runtimes_s, float)
        if not x.size or x.shape != t.shape:
            raise ValueError("as many run times as scale-outs, and at least one")
        row = (1.0 / np.maximum(t, 1e-9)) * (1.0 if weights is None else np.sqrt(np.asarray(weights, float)))
        if np.unique(x).size == 1:
            # One scale-out tells nothing of the others: perfect scaling would be a guess, so none is supposed.
            return cls(np.array([np.average(t, weights=row), 0.0, 0.0, 0.0]))
        found, _ = nnls(terms(x) * row[:, None], t * row)
        return cls(found)

    def predict(self, scale_outs: ArrayLike) -> Floats:
        """(m,) seconds."""
        predicted: Floats = terms(np.asarray(scale_outs, float)) @ self.weights
        return predicted


def terms(x: Floats) -> Floats:
    """(n, 4): 1, 1/x, ln x, x."""
    return np.column_stack([np.ones_like(x), 1.0 / x, np.log(x), x])
