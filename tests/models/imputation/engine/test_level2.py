import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imputation.level2 import folds, worth
from models.imputation.selection import correlation, eliminate, principal
from models.imputation.trees import seeded


@given(st.lists(st.integers(0, 12), min_size=3, max_size=40), st.integers(0, 99))
def test_rows_of_one_country_share_a_fold(groups: list[int], seed: int) -> None:
    group = np.array(groups)
    fold = folds(group, group < 6, min(3, len(set(groups))), seeded(seed))
    assert len({(g, f) for g, f in zip(group, fold, strict=True)}) == len(set(groups))


def test_every_fold_holds_its_share_of_small_islands() -> None:
    sids = np.arange(50) < 20
    fold = folds(np.arange(50), sids, 5, seeded(1))
    assert np.bincount(fold[sids]).tolist() == [4] * 5
    assert np.bincount(fold).tolist() == [10] * 5


def test_perfect_predictions_are_worth_everything_and_opposite_ones_nothing() -> None:
    wanted, w, group = np.linspace(-1, 1, 20), np.full(20, 0.05), np.arange(20)
    assert worth(wanted, wanted, w, group) == pytest.approx(1)
    assert worth(-wanted, wanted, w, group) == 0
    assert worth(np.zeros(20), wanted, w, group) == 0


def test_noise_is_seldom_worth_anything() -> None:
    rng = np.random.default_rng(0)
    w, group = np.full(60, 1 / 60), np.arange(60)
    found = [worth(rng.normal(size=60), rng.normal(size=60), w, group) for _ in range(200)]
    assert np.mean(np.array(found) > 0) < 0.15


def test_elimination_keeps_the_columns_that_matter() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 40)).astype(np.float32)
    y = (2.0 * X[:, 7] + X[:, 31]).astype(np.float64)
    assert {7, 31} <= set(eliminate(X, y, np.full(150, 1 / 150), 5, (1,)).tolist())


def test_components_are_carried_by_different_columns() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 80))
    filled = np.column_stack([first, 3 * first, first - 5, second, second + 0.01 * first])
    picked = principal(filled, 2)
    assert sorted(int(j) >= 3 for j in picked) == [False, True]


def test_a_constant_column_correlates_with_nothing_but_itself() -> None:
    r = correlation(np.column_stack([np.ones(9), np.arange(9.0), -np.arange(9.0)]))
    np.testing.assert_allclose(r, [[1, 0, 0], [0, 1, -1], [0, -1, 1]], atol=1e-12)
