"""How far a series is expected to move."""

import numpy as np

from models.timeseries.scale import expected_steps, usual_variance
from models.timeseries.spec import Floats

YEARS = np.arange(2000, 2020)


def steps(panel: Floats) -> Floats:
    return expected_steps(panel, YEARS, usual_variance(panel, YEARS))


def test_the_steps_of_a_long_series_are_its_own() -> None:
    panel = np.cumsum(np.where(np.arange(20)[:, None] % 2, [1.0, 10.0], [-1.0, -10.0]), axis=0)
    np.testing.assert_allclose(steps(panel), [1, 10], rtol=0.4)


def test_steps_over_several_years_count_less_each() -> None:
    rng = np.random.default_rng(3)
    panel = np.cumsum(rng.normal(size=(20, 400)), axis=0)
    panel[1::2] = np.nan
    assert abs(float(np.median(steps(panel))) - 1) < 0.1


def test_a_series_with_one_observation_is_expected_to_move_as_others_of_its_size() -> None:
    rng = np.random.default_rng(3)
    size = 10.0 ** rng.uniform(0, 6, 60)
    panel = size * (1 + 0.05 * rng.normal(size=(20, 60)))
    panel[1:, :2] = np.nan
    panel[0, :2] = [10.0, 1e5]
    small, large = steps(panel)[:2]
    assert 0.3 < small < 2
    assert 3000 < large < 20000


def test_nothing_is_expected_of_an_indicator_that_never_moves() -> None:
    np.testing.assert_array_equal(steps(np.full((20, 3), 4.0)), 0)
