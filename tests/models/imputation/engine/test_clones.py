import numpy as np
import pytest

from models.imputation.clones import SAME, Screen, correlations
from models.imputation.engine import Scheme
from tests.models.imputation.engine.tables import Table, ask, make


def _cloned() -> Table:
    """Indicator 1 is ten times the target in all years."""
    table = make()
    table.values[:, :, 1] = 10 * table.values[:, :, 0]
    return table


def test_an_indicator_that_repeats_the_target_is_left_out() -> None:
    answer = ask(_cloned(), scheme=Scheme.AFS, number_predictor=5)
    assert answer.excluded_clones == (1,)
    assert 1 not in answer.features


def test_an_indicator_of_the_same_base_code_is_left_out() -> None:
    table = make()
    table.base_codes = ("a", "b", "c", "a", *(str(i) for i in range(8)))
    assert ask(table, scheme=Scheme.PCA, number_predictor=3).excluded_clones == (3,)


def test_a_clone_named_by_hand_is_used() -> None:
    answer = ask(_cloned(), predictors=(1, 2))
    assert answer.excluded_clones == ()
    assert answer.features == (1, 2)


def test_a_clone_not_named_does_not_influence_level_1() -> None:
    table, other = _cloned(), _cloned()
    other.values[:, :, 1] *= -3
    other.digest = "other"
    assert np.array_equal(ask(table, predictors=(2,)).prediction, ask(other, predictors=(2,)).prediction)


def test_correlations_equal_numpy_where_both_are_observed() -> None:
    table = make(missing=0.3).now
    r = correlations(table[:, 0], table)
    for j in range(1, table.shape[1]):
        both = np.isfinite(table[:, 0]) & np.isfinite(table[:, j])
        np.testing.assert_allclose(r[j], np.corrcoef(table[both, 0], table[both, j])[0, 1], rtol=1e-9)


def test_few_common_countries_prove_nothing() -> None:
    target = np.where(np.arange(30) < 9, np.arange(30.0), np.nan)
    assert correlations(target, target[:, None])[0] == 0


@pytest.mark.parametrize("seed", range(12))
def test_the_quick_look_finds_what_the_correlations_say(seed: int) -> None:
    """Also among columns of any size and tail, that hardly vary, are constant, empty, or shared by few countries."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(12, 200)), 40
    base = rng.normal(size=(n, 4)) * np.exp(rng.normal(size=(n, 4)) * rng.choice([0.1, 1.0, 4.0]))
    table = base[:, rng.integers(4, size=p)] + rng.choice([0, 0.01, 0.09, 0.1, 1.0], size=p) * rng.normal(size=(n, p))
    table = (table + rng.choice([0.0, 1e4], size=p)) * 10.0 ** rng.integers(-150, 150, size=p)
    table[rng.random((n, p)) < rng.choice([0.0, 0.2, 0.9], size=p)] = np.nan
    table[:, 5], table[:, 6], table[0, 7] = 3.0, np.nan, 1e200
    screen = Screen.of(table)
    for column in range(p):
        expected = np.abs(correlations(table[:, column], table)) > SAME
        np.testing.assert_array_equal(screen.repeating(table, column), expected)
