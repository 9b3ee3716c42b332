"""The named methods are those of pandas."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.timeseries.interpolation import CONTINUED, check_points, interpolate, least_points
from models.timeseries.spec import Course, Direction, Floats, Method, SeriesError, between, fillable
from tests.models.timeseries.series import course, courses

NAMED = [method for method in Method if method is not Method.auto]
ORDERED = (Method.spline, Method.polynomial)


def by_pandas(series: Course, method: Method, order: int | None, direction: Direction) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # FITPACK's smoothing says so where it stops early
        filled = pd.Series(series.values, index=series.years).interpolate(
            method.name,  # type: ignore[arg-type]
            order=order,
            limit_direction=direction.name,  # type: ignore[arg-type]
        )
    return np.asarray(filled, dtype=np.float64)


@pytest.mark.parametrize("method", NAMED, ids=lambda method: method.name)
@settings(max_examples=60, deadline=None)
@given(series=courses(), direction=st.sampled_from(Direction), order=st.integers(1, 5))
def test_a_method_gives_what_pandas_gives(method: Method, series: Course, direction: Direction, order: int) -> None:
    if series.seen.sum() < least_points(method, order):
        with pytest.raises(SeriesError):
            interpolate(series, method, order, direction)
        return
    ours = interpolate(series, method, order, direction)
    slack = 1e-7 * float(np.abs(series.values[series.seen]).max()) * 10 ** max(0, len(series.years) - 15)
    np.testing.assert_allclose(ours, by_pandas(series, method, order, direction), rtol=1e-6, atol=slack)


@pytest.mark.parametrize("method", NAMED, ids=lambda method: method.name)
@settings(max_examples=25, deadline=None)
@given(series=courses(least=6), direction=st.sampled_from(Direction))
def test_observations_stay_as_they_are(method: Method, series: Course, direction: Direction) -> None:
    filled = interpolate(series, method, 2, direction)
    np.testing.assert_array_equal(filled[series.seen], series.values[series.seen])


@pytest.mark.parametrize("method", NAMED, ids=lambda method: method.name)
@settings(max_examples=25, deadline=None)
@given(series=courses(least=6), direction=st.sampled_from(Direction))
def test_what_is_filled_depends_on_direction_and_method_alone(
    method: Method, series: Course, direction: Direction
) -> None:
    filled = np.isfinite(interpolate(series, method, 2, direction)) & ~series.seen
    reached = fillable(series.seen, direction)
    expected = reached if method in CONTINUED else reached & between(series.seen)
    np.testing.assert_array_equal(filled, expected)


def test_linear_holds_the_last_observation_beyond_the_end() -> None:
    filled = interpolate(course(None, 1, None, 3, None, None), Method.linear, None, Direction.forward)
    np.testing.assert_array_equal(filled, [np.nan, 1, 2, 3, 3, 3])


def test_backward_fills_what_precedes_an_observation_only() -> None:
    filled = interpolate(course(None, 1, None, 3, None), Method.linear, None, Direction.backward)
    np.testing.assert_array_equal(filled, [1, 1, 2, 3, np.nan])


def test_years_that_are_not_a_year_apart_are_read_as_pandas_reads_them() -> None:
    series = Course(np.array([2000, 2001, 2005, 2010]), np.array([0.0, np.nan, np.nan, 10.0]))
    for method in (Method.linear, Method.slinear, Method.nearest, Method.zero):
        np.testing.assert_allclose(
            interpolate(series, method, None, Direction.both), by_pandas(series, method, None, Direction.both)
        )


@pytest.mark.parametrize(
    ("method", "order", "points", "field", "told"),
    [
        (Method.spline, None, 9, "d", "send the order"),
        (Method.spline, 6, 9, "d", "order of 1 to 5"),
        (Method.spline, 5, 4, "d", "send 1 to 3"),
        (Method.polynomial, 9, 9, "d", "send 1 to 8"),
        (Method.cubic, None, 3, "method", "send linear or pchip"),
        (Method.quadratic, None, 2, "method", "send linear or pchip"),
        (Method.linear, None, 1, "country", "GET countries"),
    ],
)
def test_too_few_observations_are_refused_with_what_to_send(
    method: Method, order: int | None, points: int, field: str, told: str
) -> None:
    with pytest.raises(SeriesError, match=told) as caught:
        check_points(method, order, points)
    assert caught.value.field == field
