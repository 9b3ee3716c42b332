import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imputation.bounds import Scale, bounds_of, is_percentage, scale_of

SIDS = np.array([True] * 6 + [False] * 2)


@pytest.mark.parametrize("unit", ["%", "percent", "% of population", "scale 0-100", "scale 0 - 100", "Percent"])
def test_shares_of_a_hundred_are_known_by_their_unit(unit: str) -> None:
    assert is_percentage(unit)


@pytest.mark.parametrize("unit", ["annual %", "current US$", "", "years"])
def test_other_units_are_no_shares(unit: str) -> None:
    assert not is_percentage(unit)


def test_percentages_end_at_a_hundred() -> None:
    bounds = bounds_of(np.linspace(5, 95, 16).reshape(2, 8), SIDS, "%")
    assert (bounds.low, bounds.high) == (0, 100)


def test_an_observation_above_a_hundred_lifts_the_limit() -> None:
    assert bounds_of(np.linspace(5, 120, 16).reshape(2, 8), SIDS, "% of GDP").high > 120


def test_what_never_was_negative_does_not_become_so() -> None:
    assert bounds_of(np.linspace(0, 9, 16).reshape(2, 8), SIDS, "index").low == 0


def test_what_was_negative_may_be_so_again() -> None:
    assert bounds_of(np.linspace(-3, 9, 16).reshape(2, 8), SIDS, "index").low < -3


def test_nothing_goes_beyond_ten_times_the_largest_small_island() -> None:
    series = np.full((2, 8), 4.0)
    series[:, 6:] = 1e9
    assert bounds_of(series, SIDS, "people").high == 40


def test_the_largest_size_is_approached_in_order_and_small_values_stay() -> None:
    bounds = bounds_of(np.linspace(-3, 4, 16).reshape(2, 8), SIDS, "index")
    sizes = np.array([0.0, 1.0, bounds.cap / 2, bounds.cap, 2 * bounds.cap, 1e6, 2e6])
    for sign in (1, -1):
        found = np.abs(bounds.clip(sign * sizes))
        assert found[:3].tolist() == sizes[:3].tolist()
        assert (np.diff(found) > 0).all()
        assert found.max() <= bounds.cap
    assert np.abs(bounds.clip(np.array([np.inf, -np.inf]))).tolist() == [bounds.cap, bounds.cap]


def test_populations_are_modelled_as_logarithms_and_percentages_as_they_are() -> None:
    sizes = np.geomspace(1e4, 1e9, 30)
    assert scale_of(sizes, "people").unit is not None
    assert scale_of(sizes, "%").unit is None
    assert scale_of(np.linspace(1, 5, 30), "years").unit is None


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e6))
def test_the_modelling_scale_can_be_undone(value: float, unit: float) -> None:
    scale = Scale(unit)
    there = scale.inverse(scale.forward(np.array([value])))
    assert there[0] == pytest.approx(value, rel=1e-6, abs=1e-9 * unit)
