import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.imputation.bounds import Scale
from models.imputation.history import baseline, lessons
from models.imputation.spec import Floats
from tests.models.imputation.engine.tables import ask, make

YEARS = np.arange(2000, 2011)


def _one(values: dict[int, float]) -> Floats:
    series = np.full((len(YEARS), 1), np.nan)
    for year, value in values.items():
        series[year - 2000, 0] = value
    return series


def test_between_two_observations_the_guess_is_the_line() -> None:
    assert baseline(_one({2002: 10, 2008: 40}), YEARS, 2004).guess[0] == pytest.approx(20)


@pytest.mark.parametrize("year", [2001, 2009])
def test_beyond_the_last_observation_the_guess_is_that_one(year: int) -> None:
    values = {2003: 7.0, 2007: 9.0}
    assert baseline(_one(values), YEARS, year).guess[0] == (7.0 if year < 2003 else 9.0)


def test_a_series_without_observations_is_not_known() -> None:
    found = baseline(_one({}), YEARS, 2005)
    assert not found.known[0]
    assert np.isfinite(found.features()).all()


def test_the_year_itself_is_never_looked_at() -> None:
    with_it, without = _one({2003: 1, 2005: 99, 2007: 3}), _one({2003: 1, 2007: 3})
    np.testing.assert_array_equal(baseline(with_it, YEARS, 2005).features(), baseline(without, YEARS, 2005).features())


def test_the_expected_error_grows_with_the_distance_in_years() -> None:
    series = _one({2000: 1, 2001: 2, 2002: 1.5, 2003: 2.5})
    spreads = [baseline(series, YEARS, year).spread[0] for year in (2004, 2006, 2010)]
    assert spreads == sorted(spreads)
    assert spreads[0] < spreads[2]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(2000, 2010), st.floats(-1e6, 1e6), max_size=11), st.integers(2000, 2010))
def test_whatever_is_observed_the_baseline_is_finite_and_its_spread_positive(
    values: dict[int, float], year: int
) -> None:
    found = baseline(_one(values), YEARS, year)
    assert np.isfinite(found.features()).all()
    assert np.isfinite(found.directions()).all()
    assert np.all(found.spread > 0)


def test_a_country_s_own_years_improve_the_answer() -> None:
    errors = []
    for use_history in (True, False):
        off = []
        for seed in range(4):
            whole, table = make(seed, hidden=0), make(seed)
            answer = ask(table, use_history=use_history)
            off.append(np.abs(answer.prediction - whole.now[answer.rows, 0]))
        errors.append(np.concatenate(off).mean())
    assert errors[0] < 0.9 * errors[1]


def test_the_answer_says_who_has_a_history() -> None:
    table = make()
    table.values[:, 2, 0] = np.nan
    assert ask(table).with_history.tolist() == [True, True, False, True, True, True, True, True]
    assert not ask(table, use_history=False).with_history.any()


def test_a_longer_gap_widens_the_interval_of_a_wandering_series() -> None:
    widths = []
    for hidden in (slice(4, 5), slice(2, 7)):
        table = make(3)
        steps = np.random.default_rng(3).normal(size=table.values.shape[:2])
        table.values[:, :, 0] = steps.cumsum(axis=0)
        table.now[:8, 0] = np.nan
        table.values[hidden, 0, 0] = np.nan
        answer = ask(table)
        widths.append((answer.upper - answer.lower)[0])
    assert widths[1] > widths[0]


def test_between_two_observations_of_a_logarithmic_target_the_line_is_drawn_in_its_own_units() -> None:
    scale = Scale(1.0)
    series = scale.forward(_one({2002: 10, 2008: 1000}))
    guess = baseline(series, YEARS, 2005, scale=scale).guess
    assert scale.inverse(guess)[0] == pytest.approx(505)


def test_what_other_indicators_did_in_the_year_tells_of_a_jump() -> None:
    """The target and its relatives jump in `YEAR` in every country, each by its own amount; the years beside do not."""
    off = {}
    for relatives in (True, False):
        whole, table = make(4, hidden=0, noise=0.02, n_countries=100), make(4, noise=0.02, n_countries=100)
        jump = 10 * np.random.default_rng(4).normal(size=100)
        for data in (whole, table):
            data.now[:, 0] += jump
            if relatives:
                data.now[:, 1:4] += jump[:, None]
        answer = ask(table)
        off[relatives] = np.abs(answer.prediction - whole.now[answer.rows, 0]).mean()
    assert off[True] < 0.5 * off[False]


def test_lessons_with_gaps_alike_count_most() -> None:
    table = make(0, n_years=15)
    series, years = table.values[:, :, 0], np.array(table.years)
    train = np.flatnonzero(np.isfinite(table.now[:, 0]))
    series[5:8, 0] = np.nan
    taught = lessons(series, years, 2010, train, baseline(series, years, 2010), np.arange(8))
    alike = taught.alike(np.array([1, 1]), np.array([1, 0]))
    short = (taught.features[:, 3] == 1) & (taught.features[:, 4] == 1)
    assert np.all(alike[0, short] == 1)
    assert alike[0, ~short].max(initial=0) < 1
    assert alike[1, short].max() < 0.31
