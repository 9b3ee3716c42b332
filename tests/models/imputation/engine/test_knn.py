import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.imputation.knn import KnnState, scale_columns
from models.imputation.spec import Floats

NONE = np.zeros(0, np.int64)


def _matrix(seed: int, rows: int = 30, columns: int = 8, missing: float = 0.25) -> Floats:
    rng = np.random.default_rng(seed)
    gaps = rng.random((rows, columns)) < missing
    gaps[0] = False
    return np.where(gaps, np.nan, rng.normal(size=gaps.shape) * 10.0 ** rng.integers(-3, 6, columns))


def _sklearn(matrix: Floats) -> Floats:
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import MinMaxScaler

    filled: Floats = KNNImputer(n_neighbors=5).fit_transform(MinMaxScaler().fit_transform(matrix))
    return filled


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 45), st.integers(1, 12), st.sampled_from([0.05, 0.3, 0.6]))
def test_filling_equals_the_imputer_of_sklearn(seed: int, rows: int, columns: int, missing: float) -> None:
    matrix = _matrix(seed, rows, columns, missing)
    np.testing.assert_allclose(
        KnnState.build(matrix).fill(np.arange(columns), NONE), _sklearn(matrix), rtol=1e-9, atol=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 7), min_size=1, max_size=5))
def test_leaving_columns_out_equals_a_matrix_without_them(seed: int, left_out: set[int]) -> None:
    matrix = _matrix(seed)
    kept = np.array([j for j in range(8) if j not in left_out])
    filled = KnnState.build(matrix).fill(kept, np.array(sorted(left_out)))
    np.testing.assert_allclose(filled, _sklearn(matrix[:, kept]), rtol=1e-9, atol=1e-9)


def test_only_the_columns_asked_for_come_back_in_the_order_asked() -> None:
    state = KnnState.build(_matrix(1))
    everything = state.fill(np.arange(8), NONE)
    np.testing.assert_array_equal(state.fill(np.array([5, 2]), NONE), everything[:, [5, 2]])


def test_a_country_that_shares_nothing_gets_the_means_as_in_sklearn() -> None:
    matrix = _matrix(2)
    matrix[4] = np.nan
    np.testing.assert_allclose(KnnState.build(matrix).fill(np.arange(8), NONE), _sklearn(matrix), atol=1e-9)


def test_filling_does_not_change_the_state() -> None:
    state = KnnState.build(_matrix(3))
    before = state.scaled.copy()
    state.fill(np.arange(8), np.array([1]))
    np.testing.assert_array_equal(state.scaled, before)


@pytest.mark.parametrize("column", [np.full(5, 3.0), np.array([np.nan, 2.0, 2.0, np.nan, 2.0]), np.full(5, np.nan)])
def test_a_column_without_spread_scales_to_zero_or_stays_missing(column: Floats) -> None:
    scaled = scale_columns(column[:, None])[:, 0]
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(column))
    assert np.all(scaled[~np.isnan(scaled)] == 0)
