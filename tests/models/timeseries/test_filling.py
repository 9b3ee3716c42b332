"""A question put to the data."""

from dataclasses import replace

import numpy as np
import pytest

from models._indicators import IndicatorSet
from models.timeseries.choices import check_series
from models.timeseries.filling import Question, Solution, solve
from models.timeseries.spec import Direction, Method, SeriesError

YEARS = tuple(range(2000, 2012))


def asked(method: Method = Method.auto, *, direction: Direction = Direction.both, bounded: bool = True) -> Question:
    return Question(0, 0, method, None, direction, bounded)


def percentages(sample: IndicatorSet, *values: float | None) -> IndicatorSet:
    """A data set of one indicator in per cent, with these values for the first of 20 countries."""
    rng = np.random.default_rng(4)
    panel = np.clip(60 + np.cumsum(rng.normal(size=(len(YEARS), 20)), axis=0), 0, 100)
    panel[:, 0] = [np.nan if value is None else value for value in values]
    return replace(
        sample,
        countries=sample.countries[:20],
        indicators=("share",),
        names=("Share",),
        units=("%",),
        years=YEARS,
        values=panel[:, :, None],
        sids=np.ones(20, dtype=np.bool_),
    )


NEAR_THE_LIMIT = (60.0, 99.9, None, 99.9, 60.0, None, 90.0, 95.0, 99.0, None, None, None)


def codes(solution: Solution) -> set[str]:
    return {caveat.code for caveat in solution.caveats}


@pytest.mark.parametrize("method", [Method.auto, Method.cubicspline, Method.pchip], ids=lambda method: method.name)
def test_a_percentage_stays_within_its_bounds(sample: IndicatorSet, method: Method) -> None:
    found = solve(percentages(sample, *NEAR_THE_LIMIT), asked(method))
    assert found.values.min() >= 0
    assert found.values.max() <= 100
    if method is Method.auto:
        assert np.nanmax(found.upper) <= 100


def test_values_that_were_set_to_the_limit_are_named(sample: IndicatorSet) -> None:
    data = percentages(sample, *NEAR_THE_LIMIT)
    found = solve(data, asked(Method.cubicspline))
    raw = solve(data, asked(Method.cubicspline, bounded=False))
    (caveat,) = [caveat for caveat in found.caveats if caveat.code == "bounded"]
    outside = np.flatnonzero((raw.values > 100) | (raw.values < 0))
    assert caveat.years == tuple(found.course.years[outside].tolist())
    assert "bounded" not in codes(raw)


def test_every_missing_year_has_a_value_and_an_interval_with_auto(sample: IndicatorSet) -> None:
    found = solve(percentages(sample, *NEAR_THE_LIMIT), asked())
    assert np.isfinite(found.values).all()
    np.testing.assert_array_equal(np.isfinite(found.lower), ~found.course.seen)
    assert (found.lower[found.filled] <= found.values[found.filled]).all()
    assert (found.values[found.filled] <= found.upper[found.filled]).all()
    assert found.inside is not None
    assert found.ends is not None


def test_observations_are_given_back_untouched(sample: IndicatorSet) -> None:
    data = percentages(sample, *NEAR_THE_LIMIT)
    for method in (Method.auto, Method.linear, Method.akima):
        found = solve(data, asked(method))
        seen = found.course.seen
        np.testing.assert_array_equal(found.values[seen], data.values[:, 0, 0][seen])


@pytest.mark.parametrize("method", [Method.auto, Method.linear], ids=lambda method: method.name)
def test_forward_leaves_the_years_before_the_first_observation_empty(sample: IndicatorSet, method: Method) -> None:
    data = percentages(sample, None, None, 50, 51, None, 53, 50, 52, 51, 55, 56, None)
    found = solve(data, asked(method, direction=Direction.forward))
    assert np.isnan(found.values).tolist() == [True, True] + [False] * 10
    (caveat,) = [caveat for caveat in found.caveats if caveat.code == "unfilled"]
    assert caveat.years == (2000, 2001)


def test_what_a_value_rests_on_is_said(sample: IndicatorSet) -> None:
    found = solve(percentages(sample, 50, 52, 51, *[None] * 9), asked())
    assert {"few_points", "far"} <= codes(found)
    (far,) = [caveat for caveat in found.caveats if caveat.code == "far"]
    assert far.years == (2008, 2009, 2010, 2011)


def test_a_series_without_others_says_that_its_intervals_rest_on_little(sample: IndicatorSet) -> None:
    data = percentages(sample, 50, None, 52, None, 51, *[None] * 7)
    alone = np.array(data.values)
    alone[:, 1:, 0] = np.nan
    assert "few_errors" in codes(solve(replace(data, values=alone), asked()))


def test_a_series_without_gaps_is_given_back(sample: IndicatorSet) -> None:
    data = percentages(sample, *range(50, 62))
    for method in (Method.auto, Method.linear):
        found = solve(data, asked(method))
        np.testing.assert_array_equal(found.values, np.arange(50, 62))
        assert codes(found) == {"no_gaps"}


@pytest.mark.parametrize(
    ("values", "code", "told"),
    [
        ([None] * 12, "no_observations", "GET countries"),
        ([5, *[None] * 11], "too_few_points", "2 are needed"),
        ([5, 5, 5, *[None] * 9], "constant", "all 3 observations of share are 5: take that value"),
    ],
)
def test_a_series_that_says_nothing_is_refused(
    sample: IndicatorSet, values: list[float | None], code: str, told: str
) -> None:
    with pytest.raises(SeriesError, match=told) as caught:
        check_series(percentages(sample, *values), asked())
    assert caught.value.code == code
