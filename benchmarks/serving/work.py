"""The models that everybody serves. Nothing but Python and scikit-learn: each peer imports it in its own environment.

Each is fitted where it is served, in milliseconds and always the same, so that no pickle has to suit two versions.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

Rows = Sequence[Sequence[float]]


def add_one(values: Sequence[float]) -> list[float]:
    """The trivial model."""
    return [value + 1 for value in values]


@lru_cache
def iris() -> Callable[[Rows], list[int]]:
    """Logistic regression on iris: rows of four features -> classes."""
    from sklearn.linear_model import LogisticRegression

    return _classes(LogisticRegression(max_iter=500))


@lru_cache
def forest() -> Callable[[Rows], list[int]]:
    """100 trees on iris."""
    from sklearn.ensemble import RandomForestClassifier

    return _classes(RandomForestClassifier(100, random_state=0))


def _classes(model: Any) -> Callable[[Rows], list[int]]:
    import numpy as np
    from sklearn.datasets import load_iris

    known = load_iris()
    predict = model.fit(known.data, known.target).predict

    def classes(rows: Rows) -> list[int]:
        found: list[int] = predict(np.array(rows, dtype=np.float64)).tolist()
        return found

    return classes
