"""The shortcut into sklearn grows what sklearn's own estimators grow."""

from typing import Literal

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from models.imputation.growing import Grower

LEARNERS = {"best": DecisionTreeRegressor, "random": ExtraTreeRegressor}


@pytest.mark.parametrize("splitter", ["best", "random"])
@pytest.mark.parametrize("max_depth", [None, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_trees_equal_those_of_the_public_estimators(
    splitter: Literal["best", "random"], max_depth: int | None, weighted: bool
) -> None:
    draw = np.random.default_rng(3)
    X = draw.normal(size=(60, 7)).astype(np.float32)
    y = X[:, 0] * 2 + draw.normal(size=60)
    weights = draw.integers(0, 4, size=60).astype(float) if weighted else None
    options = {"max_features": 3, "max_depth": max_depth}
    ours = Grower(X, splitter, min_leaf=2, state=np.random.RandomState(5), **options)  # type: ignore[arg-type]
    learner = LEARNERS[splitter](min_samples_leaf=2, random_state=np.random.RandomState(5), **options)
    for _ in range(3):
        tree, expected = ours.grow(y, weights), learner.fit(X, y, sample_weight=weights).tree_
        assert np.array_equal(tree.children_left, expected.children_left)
        assert np.array_equal(tree.threshold, expected.threshold)
        assert np.array_equal(tree.value, expected.value)
        assert np.array_equal(tree.compute_feature_importances(), expected.compute_feature_importances())
