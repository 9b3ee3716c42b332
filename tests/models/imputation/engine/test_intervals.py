import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.imputation.engine import Imputation, Interval, Model
from tests.models.imputation.engine.tables import ask, make

KINDS = [Model.rfr, Model.etr, Model.gbr]


def _ordered(answer: Imputation) -> bool:
    ends = np.stack([answer.lower, answer.prediction, answer.upper])
    return bool(np.isfinite(ends).all() and np.all(np.diff(ends, axis=0) >= 0))


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interval", list(Interval))
def test_about_nine_in_ten_hidden_values_lie_in_the_interval(interval: Interval, kind: Model, cold: bool) -> None:
    inside = []
    for seed in range(12):
        whole, table = make(seed, hidden=0, n_countries=100), make(seed, n_countries=100, cold=cold)
        answer = ask(table, model=kind, interval=interval)
        truth = whole.now[answer.rows, 0]
        inside.append((answer.lower <= truth) & (truth <= answer.upper))
    assert 0.8 <= np.mean(inside) <= 0.99


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    n_countries=st.integers(20, 70),
    missing=st.sampled_from([0.0, 0.2]),
    kind=st.sampled_from(KINDS),
    interval=st.sampled_from(list(Interval)),
    estimators=st.integers(1, 12),
    cold=st.booleans(),
)
def test_the_prediction_lies_between_finite_ends(
    seed: int, n_countries: int, missing: float, kind: Model, interval: Interval, estimators: int, cold: bool
) -> None:
    table = make(seed, n_countries=n_countries, missing=missing, hidden=4, cold=cold)
    allowed = tuple(j for j in range(1, 12) if np.isnan(table.now[:, j]).mean() < 0.3)[:3]
    answer = ask(table, predictors=allowed, model=kind, interval=interval, estimators=estimators)
    assert _ordered(answer)


@pytest.mark.parametrize("interval", list(Interval))
@pytest.mark.parametrize("use_history", [True, False])
def test_percentages_stay_between_zero_and_a_hundred(interval: Interval, use_history: bool) -> None:
    table = make(2, cold=not use_history)
    series = table.values[:, :, 0]
    table.values[:, :, 0] = 100 / (1 + np.exp(-(series - 20)))
    table.units = ("%",) * 12
    answer = ask(table, interval=interval, use_history=use_history)
    assert _ordered(answer)
    assert answer.lower.min() >= 0
    assert answer.upper.max() <= 100


def test_sizes_stay_positive_and_below_ten_times_the_largest_small_island() -> None:
    table = make(2, cold=True)
    table.values[:, :, 0] = np.exp(table.values[:, :, 0] / 3)
    answer = ask(table)
    assert answer.lower.min() >= 0
    assert answer.upper.max() <= 10 * np.nanmax(table.values[:, table.sids, 0])


def test_noisier_targets_get_wider_intervals() -> None:
    quiet, loud = (ask(make(5, noise=noise, cold=True)) for noise in (0.1, 2.0))
    assert np.median(loud.upper - loud.lower) > np.median(quiet.upper - quiet.lower)
