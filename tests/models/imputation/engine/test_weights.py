import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imputation.weights import balanced, conformal_quantile, row_quantile, weighted_quantile


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


def test_quantiles_by_row_agree_with_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    values, weights = np.sort(rng.normal(size=20)), rng.random(20)
    assert row_quantile(weights[None], values, 0.3)[0] == weighted_quantile(values, weights, 0.3)


@pytest.mark.parametrize("n", [9, 12, 15, 40])
def test_one_more_value_lies_below_a_conformal_quantile_nine_times_in_ten(n: int) -> None:
    rng = np.random.default_rng(n)
    weights = np.full(n, 1 / n)
    below = [rng.random() <= conformal_quantile(rng.random(n), weights, 0.9) for _ in range(4000)]
    assert np.mean(below) == pytest.approx(0.9, abs=0.02)


def test_with_too_few_values_a_conformal_quantile_is_the_largest() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert conformal_quantile(values, np.full(3, 1 / 3), 0.9) == 3.0
