"""What a forecast says beside its median."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scaleout.decide import chance, quantile
from models.scaleout.decide.chance import usable
from models.scaleout.records import Forecast
from tests.models.scaleout.decide.runs import forecast

times = st.floats(0.0, 1e5)


def test_the_quantiles_of_a_forecast_have_their_probabilities() -> None:
    found = Forecast(100, 80, 150, 60, 200, "made-up")
    assert [round(chance(found, at), 6) for at in (60, 80, 100, 150, 200)] == [0.05, 0.1, 0.5, 0.9, 0.95]


@given(times, times, times, times, times, times, times)
def test_more_time_never_makes_it_less_likely(
    a: float, b: float, c: float, d: float, e: float, one: float, other: float
) -> None:
    found = Forecast(a, b, c, d, e, "crossed")
    less, more = sorted((chance(found, one), chance(found, other)))
    assert 0 <= chance(found, min(one, other)) <= chance(found, max(one, other)) <= 1
    assert less <= more


@given(st.floats(1, 1e4), st.floats(0.02, 1), st.floats(0.01, 0.99))
def test_the_time_at_a_probability_has_that_probability(median_s: float, spread: float, probability: float) -> None:
    found = forecast(median_s, spread)
    assert chance(found, quantile(found, probability)) == pytest.approx(probability, abs=1e-6)


def test_no_time_is_never_enough_and_nothing_left_always_in_time() -> None:
    assert chance(forecast(10), 0) == 0
    assert chance(Forecast(0, 0, 0, 0, 0, "done"), 1) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_a_forecast_that_is_no_time_is_not_used(wrong: float) -> None:
    assert not usable(Forecast(wrong, 1, 2, 1, 2, "broken"))
