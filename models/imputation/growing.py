"""One regression tree after another on the same rows, without the checks that sklearn's estimators make for each.

A forest of ours is a hundred trees on fifty to two hundred rows; there `DecisionTreeRegressor.fit` spends more time on
checking the weights and copying parameters than on growing (60 of 69 ms became 35 of 42 ms for a request of 10 trees on
50 countries). The classes that `fit` itself calls are used directly, with the same arguments, so the trees are equal to
the last bit; a test compares them. They are private to sklearn, which is why `pyproject.toml` admits one minor version.
"""

from typing import Any, Literal

import numpy as np

from models.imputation.spec import Floats, Floats32

# What `fit` takes for max_depth=None.
_NO_LIMIT = int(np.iinfo(np.int32).max)


class Grower:
    """Grows trees under squared error.

    Parameters
    ----------
    X : (n_rows, n_features) float32, C-contiguous, finite.
    splitter : "best" as in `DecisionTreeRegressor`, "random" as in `ExtraTreeRegressor`.
    max_features : how many features a split looks at.
    min_leaf : fewest rows in a leaf.
    max_depth : None grows in full.
    state : each tree draws one seed from it, as an estimator with `random_state=state` does.
    """

    def __init__(
        self,
        X: Floats32,
        splitter: Literal["best", "random"],
        *,
        max_features: int,
        min_leaf: int,
        max_depth: int | None = None,
        state: np.random.RandomState,
    ) -> None:
        from sklearn.tree import _criterion, _splitter, _tree

        self._X = X
        self._splitter = _splitter.BestSplitter if splitter == "best" else _splitter.RandomSplitter
        self._criterion, self._tree, self._builder = _criterion.MSE, _tree.Tree, _tree.DepthFirstTreeBuilder
        self._max_features = max_features
        self._min_leaf = min_leaf
        self._max_depth = _NO_LIMIT if max_depth is None else max_depth
        self._state = state
        self._outputs = np.ones(1, dtype=np.intp)

    def grow(self, y: Floats, weights: Floats | None = None) -> Any:
        """The `tree_` that a fitted estimator would have, from y (n_rows,) and weights (n_rows,), zero leaves a row
        out.
        """
        n_rows, n_features = self._X.shape
        splitter = self._splitter(
            self._criterion(1, n_rows), self._max_features, self._min_leaf, 0.0, self._state, None
        )
        tree = self._tree(n_features, self._outputs, 1)
        builder = self._builder(splitter, max(2, 2 * self._min_leaf), self._min_leaf, 0.0, self._max_depth, 0.0)
        builder.build(tree, self._X, np.ascontiguousarray(y[:, None]), weights, None)
        return tree
