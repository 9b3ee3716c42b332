import numpy as np
import pytest

from models.imputation.kernel import DRAWN_TO, LEAST, PRIOR, Member, ridge, stacked, stacking_weights


def _table(n: int = 60, p: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, p)), rng.normal(size=n), np.full(n, 1 / n), np.arange(n) % 5


def test_one_column_that_repeats_the_target_is_found_among_hundreds() -> None:
    Z, y, w, fold = _table()
    Z[:, 7] = y
    new = 0.5 * np.random.default_rng(1).normal(size=(5, 200))
    found = ridge(Z, y, w, fold, new)
    np.testing.assert_allclose(found.new, new[:, 7], atol=0.15)
    assert np.sqrt(np.mean((found.honest - y) ** 2)) < 0.2


def test_noise_does_not_look_like_knowledge_on_rows_held_out() -> None:
    Z, y, w, fold = _table()
    assert np.sqrt(np.mean((ridge(Z, y, w, fold, Z[:0]).honest - y) ** 2)) > 0.9 * y.std()


def test_few_and_many_columns_give_the_same_ridge() -> None:
    """The smaller Gram matrix is used; columns of nothing change which one it is, and nothing else."""
    Z, y, w, fold = _table(p=4)
    padded = np.hstack([Z, np.zeros((60, 100))])
    few, many = ridge(Z, y, w, fold, Z[:3]), ridge(padded, y, w, fold, padded[:3])
    np.testing.assert_allclose(few.new, many.new, atol=1e-8)


@pytest.mark.parametrize("rows", [0, 3])
def test_no_columns_give_the_mean(rows: int) -> None:
    _, y, w, fold = _table()
    np.testing.assert_allclose(ridge(np.zeros((60, 0)), y, w, fold, np.zeros((rows, 0))).new, np.full(rows, y.mean()))


def test_far_beyond_the_countries_learnt_from_predictions_stay_near_and_differ() -> None:
    Z, _, w, fold = _table(p=1)
    y = Z[:, 0]
    new = ridge(Z, y, w, fold, np.array([[50.0], [60.0]])).new
    assert y.max() < new[0] < new[1] < y.max() + 0.25 * np.ptp(y)


def test_the_better_member_weighs_more_and_the_kernel_never_nothing() -> None:
    rng = np.random.default_rng(2)
    y, w, fold = rng.normal(size=80), np.full(80, 1 / 80), np.arange(80) % 5
    good, bad = Member(y + 0.1 * rng.normal(size=80), np.ones(1)), Member(rng.normal(size=80), np.zeros(1))
    both, share = stacked(y, w, fold, good, bad)
    assert share > 0.9
    assert np.mean((both.honest - y) ** 2) < 0.05
    assert stacked(y, w, fold, good, Member(-y, np.full(1, 100.0)))[0].new[0] > LEAST * 50


@pytest.mark.parametrize("seed", range(200))
def test_stacking_weights_equal_those_of_non_negative_least_squares(seed: int) -> None:
    """Members that follow the target, follow nothing, oppose it, repeat each other, or say nothing at all."""
    from scipy.optimize import nnls

    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 60))
    target, w = rng.normal(size=n) * 10.0 ** rng.integers(-6, 7), rng.random(n)
    signal, noise = rng.choice([-1.0, -0.2, 0.0, 0.2, 1.0], size=2), rng.choice([0.0, 0.1, 1.0, 3.0], size=2)
    told = target[:, None] * signal + target.std() * noise * rng.normal(size=(n, 2))
    if seed % 5 == 0:
        told[:, 1] = told[:, 0]
    size = np.sqrt(w @ target**2)
    drawn = np.sqrt(PRIOR / n) * np.eye(2)
    left = np.vstack([np.sqrt(w)[:, None] / size * told, drawn])
    right = np.concatenate([np.sqrt(w) / size * target, drawn.sum(axis=1) * DRAWN_TO / 2])
    expected = np.maximum(nnls(left, right)[0], [0.0, LEAST])
    np.testing.assert_allclose(stacking_weights(told, target, w), expected, atol=1e-9)


def test_stacking_weights_without_a_target_to_follow_are_the_ones_drawn_to() -> None:
    for n in (0, 4):
        weights = stacking_weights(np.ones((n, 2)), np.zeros(n), np.ones(n))
        np.testing.assert_array_equal(weights, [DRAWN_TO / 2, DRAWN_TO / 2])
