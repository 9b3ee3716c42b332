import numpy as np

from models.imputation.iterative import IterativeState
from models.imputation.knn import KnnState
from models.imputation.spec import Floats
from tests.models.imputation.engine.tables import make

NONE = np.zeros(0, np.int64)


def _matrix() -> Floats:
    return make(seed=4, n_countries=80, noise=0.05, missing=0.15).now[:, 1:].copy()


def test_observed_cells_stay_as_they_are() -> None:
    knn = KnnState.build(_matrix())
    filled = IterativeState.build(knn).fill(np.arange(11), np.array([0]))
    np.testing.assert_array_equal(filled[knn.observed], knn.scaled[knn.observed])


def test_chained_equations_come_closer_than_the_mean() -> None:
    whole = make(seed=4, n_countries=80, noise=0.05, missing=0.0).now[:, 1:]
    holes = np.random.default_rng(0).random(whole.shape) < 0.15
    matrix = np.where(holes, np.nan, whole)
    knn = KnnState.build(matrix)
    filled = IterativeState.build(knn).fill(np.arange(11), NONE)
    low, width = np.nanmin(matrix, axis=0), np.nanmax(matrix, axis=0) - np.nanmin(matrix, axis=0)
    error = np.abs(filled * width + low - whole)[holes].mean()
    assert error < 0.5 * np.abs(np.nanmean(matrix, axis=0) - whole)[holes].mean()


def test_a_column_left_out_is_not_looked_at_again() -> None:
    matrix = _matrix()
    state = IterativeState.build(KnnState.build(matrix))
    changed = IterativeState(KnnState.build(_spoilt(matrix)), _spoilt_filled(state), state.related, state.seed)
    others = np.arange(1, 11)
    np.testing.assert_allclose(changed.fill(others, np.array([0])), state.fill(others, np.array([0])), atol=1e-9)


def _spoilt(matrix: Floats) -> Floats:
    spoilt = matrix.copy()
    spoilt[:, 0] = np.where(np.isfinite(matrix[:, 0]), np.arange(len(matrix)), np.nan)
    return spoilt


def _spoilt_filled(state: IterativeState) -> Floats:
    filled = state.filled.copy()
    filled[:, 0] = 0.5
    return filled


def test_the_same_matrix_fills_the_same_to_the_last_bit() -> None:
    first, second = (IterativeState.build(KnnState.build(_matrix())).filled for _ in range(2))
    np.testing.assert_array_equal(first, second)
