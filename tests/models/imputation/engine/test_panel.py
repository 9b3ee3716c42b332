import numpy as np
import pytest

from models.imputation.panel import Panel, interpolated, standardised
from tests.models.imputation.engine.tables import YEAR, ask, make

YEARS = np.arange(2000, 2007)


def test_a_year_is_interpolated_held_at_the_ends_and_its_own_where_it_is_observed() -> None:
    values = np.full((7, 4, 1), np.nan)
    values[[1, 5], 0, 0] = 10, 30
    values[1, 1, 0] = 10
    values[[1, 3, 5], 2, 0] = 10, 99, 30
    np.testing.assert_allclose(interpolated(values, 3, YEARS, np.isfinite(values))[:, 0], [20, 10, 99, np.nan])


def test_columns_of_any_size_come_to_one_scale() -> None:
    rng = np.random.default_rng(0)
    columns = np.column_stack([rng.normal(size=50), 1e12 * np.exp(3 * rng.normal(size=50)), np.full(50, 5.0)])
    found = standardised(columns)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0], atol=0.1)


def test_a_gap_is_filled_by_what_the_other_columns_tell() -> None:
    whole, table = make(0, hidden=0, missing=0.0, noise=0.05), make(0, hidden=0, missing=0.0, noise=0.05)
    table.values[:, 5:10, 3] = np.nan
    panel = Panel.build(table, YEAR)
    filled = panel.complete(np.zeros(0, np.int64))
    truth = (whole.now[:, 3] - np.nanmean(table.now[:, 3])) / np.nanstd(table.now[:, 3])
    assert np.abs(filled[5:10, 3] - truth[5:10]).mean() < 0.3


def test_columns_left_out_do_not_tell_of_a_country() -> None:
    table, other = make(0, missing=0.0), make(0, missing=0.0)
    for data in (table, other):
        data.values[:, 4, 5] = np.nan
    other.values[:, 4, 3] += 1e-3
    first, second = (Panel.build(data, YEAR).complete(np.array([0, 3])) for data in (table, other))
    np.testing.assert_allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("indicators", [1, 2])
def test_an_empty_country_is_an_average_one(indicators: int) -> None:
    table = make(0, missing=0.0, n_indicators=indicators)
    table.values[:, 4] = np.nan
    np.testing.assert_allclose(Panel.build(table, YEAR).complete(np.zeros(0, np.int64))[4], 0, atol=1e-9)


def test_countries_of_which_the_year_says_nothing_differ_by_what_other_years_say() -> None:
    table = make(0, cold=True)
    table.now[:3] = np.nan
    answer = ask(table)
    assert {(row, "no_predictors_observed") for row in range(3)} <= {(c.row, c.code) for c in answer.caveats}
    assert len(np.unique(np.round(answer.prediction, 9))) == len(answer.rows)


def test_columns_asked_for_alone_are_filled_as_among_all() -> None:
    panel = Panel.build(make(0, missing=0.4), YEAR)
    without, wanted = np.array([1, 4]), np.array([0, 3])
    among_all = panel.complete(without)
    kept = np.setdiff1d(np.arange(len(panel.columns)), without)
    np.testing.assert_allclose(panel.complete(without, wanted), among_all[:, np.isin(kept, wanted)], atol=1e-12)
    assert panel.complete(without, wanted[:0]).shape == (len(among_all), 0)
