"""Which figures of a district made its prediction what it is: Shapley values.

Exact and interventional (Lundberg and Lee 2017; Janzing, Minorics and Blöbaum 2020): a figure that is left out takes
the values that it has in a sample of other districts. With eight figures there are 256 choices of what is left out, so
that all of them can be looked at.
"""

from collections.abc import Callable
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@lru_cache(maxsize=4)
def _weights(n: int) -> tuple[NDArray[np.bool_], Floats]:
    """(2^n, n) which features each coalition has, and (2^n, n) its weight in each feature's value."""
    has = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(bool)
    sizes = has.sum(axis=1)
    joined = np.array([factorial(max(size - 1, 0)) * factorial(n - size) / factorial(n) for size in range(n + 1)])
    alone = np.array([factorial(size) * factorial(max(n - size - 1, 0)) / factorial(n) for size in range(n + 1)])
    return has, np.where(has, joined[sizes][:, None], -alone[sizes][:, None])


def shapley(predict: Callable[[Floats], Floats], row: Floats, background: Floats) -> tuple[float, Floats]:
    """The mean prediction over `background`, and by how much each feature moves it towards that of `row`.

    Parameters
    ----------
    predict : (m, n) -> (m,).
    row : (n,). background : (k, n).

    Returns
    -------
    base, (n,) contributions; `base + contributions.sum()` is the prediction of `row`.
    """
    has, weights = _weights(len(row))
    mixed = np.where(has[:, None, :], row, background)
    worth = predict(mixed.reshape(-1, len(row))).reshape(len(has), len(background)).mean(axis=1)
    return float(worth[0]), weights.T @ worth
