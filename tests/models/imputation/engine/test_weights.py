import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imputation.weights import balanced, column_quantile, row_quantile, weighted_quantile


@given(st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda flags: any(flags) and not all(flags)))
def test_small_islands_and_the_rest_weigh_half_each(flags: list[bool]) -> None:
    sids = np.array(flags)
    weights = balanced(sids)
    assert weights[sids].sum() == pytest.approx(0.5)
    assert weights[~sids].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("only", [True, False])
def test_one_group_alone_has_all_the_weight(only: bool) -> None:
    np.testing.assert_allclose(balanced(np.full(4, only)), 0.25)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_an_equally_weighted_quantile_is_the_inverted_distribution(values: list[float], level: float) -> None:
    array = np.array(values)
    found = weighted_quantile(array, np.ones(len(array)), level)
    assert np.mean(array <= found) >= level - 1e-9
    assert np.mean(array < found) <= level + 1e-9


def test_weight_beyond_the_end_moves_a_quantile_up() -> None:
    values, weights = np.arange(10.0), np.ones(10)
    assert weighted_quantile(values, weights, 0.8, beyond=1.0) == 8.0
    assert weighted_quantile(values, weights, 0.8) == 7.0


def test_quantiles_by_column_and_by_row_agree_with_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(20, 3)), rng.random(20)
    plain = [weighted_quantile(values[:, j], weights, 0.3) for j in range(3)]
    np.testing.assert_array_equal(column_quantile(values, weights, 0.3), plain)
    order = np.argsort(values[:, 0])
    assert row_quantile(weights[None, order], values[order, 0], 0.3)[0] == plain[0]
