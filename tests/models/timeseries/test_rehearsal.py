"""Rehearsals hide what they ask, and ask what is missing."""

import numpy as np
import pytest

from models.timeseries.rehearsal import CANDIDATES, Errors, guess, lessons, own, rehearse
from models.timeseries.scale import usual_variance
from models.timeseries.spec import Direction, Method, fillable
from models.timeseries.statespace import Family
from tests.models.timeseries.series import course, walks

SERIES = course(1, 3, 2, None, 4, 6, None, None, 5, 8, 7, 9, None)


def test_a_hidden_value_has_no_influence_on_its_guess() -> None:
    seen = SERIES.seen
    hidden = seen & (SERIES.years == 2005)
    changed = SERIES.values.copy()
    changed[hidden] += 100
    plain, moved = (
        rehearse(SERIES.years, values[:, None], seen & ~hidden, hidden, np.ones(1))
        for values in (SERIES.values, changed)
    )
    for candidate in CANDIDATES:
        np.testing.assert_allclose(moved.by[candidate] - plain.by[candidate], 100)


def test_the_candidates_are_the_named_methods_and_the_structural_models() -> None:
    seen = SERIES.seen
    said = guess(SERIES.years[seen], SERIES.values[seen][:, None], SERIES.years[~seen], np.ones(1))
    assert {Method.linear, Method.pchip, Family.level, Family.trend} <= set(said.by)
    np.testing.assert_allclose(said.by[Method.linear][:, 0], [3, 6 - 1 / 3, 6 - 2 / 3, 9])
    assert np.isnan(said.by[Method.akima][-1, 0])
    assert (said.spread > 0).all()
    np.testing.assert_array_equal(said.inside, [True, True, True, False])
    np.testing.assert_array_equal(said.reach, [1, 1, 1, 1])


def kinds(errors: Errors) -> set[bool]:
    return set(errors.inside.tolist())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2, None, 4, 3, 5), {True}),
        ((1, 2, 4, 3, 5, None, None), {False}),
        ((None, 1, 2, 4, 3, 5), {False}),
        ((None, 1, 2, 4, None, 5), {True, False}),
        ((1, None, 2, None, 4, None, 3, None), {True, False}),
    ],
)
def test_gaps_are_rehearsed_where_there_are_gaps_to_fill(values: tuple[float | None, ...], expected: set[bool]) -> None:
    series = course(*values)
    assert kinds(own(series, fillable(series.seen, Direction.both), 1.0)) == expected


def test_a_series_too_short_to_rehearse_has_no_errors_of_its_own() -> None:
    series = course(1, None, 2)
    assert len(own(series, fillable(series.seen, Direction.both), 1.0)) == 0


def test_lessons_come_from_other_countries_only() -> None:
    panel, years = walks(20, 12), np.arange(2000, 2020)
    asked = fillable(np.isfinite(panel[:, 3]), Direction.both)
    usual = usual_variance(panel, years)
    changed = panel.copy()
    changed[:, 3] *= 1000
    plain, moved = (lessons(values, years, 3, asked, usual) for values in (panel, changed))
    np.testing.assert_array_equal(plain.by[Method.linear], moved.by[Method.linear])


def test_lessons_are_found_for_years_that_nobody_knows() -> None:
    panel, years = walks(20, 12, missing=0.0), np.arange(2000, 2020)
    panel[-2:] = np.nan
    asked = fillable(np.isfinite(panel[:, 3]), Direction.both)
    found = lessons(panel, years, 3, asked, usual_variance(panel, years))
    assert len(found) >= 22
    assert kinds(found) == {False}


def test_series_that_do_not_move_teach_nothing() -> None:
    panel, years = walks(20, 6, missing=0.0), np.arange(2000, 2020)
    panel[:, 1:] = 7.0
    panel[10, 0] = np.nan
    asked = fillable(np.isfinite(panel[:, 0]), Direction.both)
    assert len(lessons(panel, years, 0, asked, np.ones(6))) == 0
