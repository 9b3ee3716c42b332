import numpy as np
import pytest

from models.imputation.engine import (
    Imputation,
    ImputationError,
    Interpolator,
    Interval,
    Model,
    Scheme,
    eligible_predictors,
    eligible_targets,
)
from tests.models.imputation.engine.tables import YEAR, Table, ask, make

CHOICES = [{"scheme": Scheme.AFS, "number_predictor": 4}, {"scheme": Scheme.PCA, "number_predictor": 4}, {}]


def _sound(answer: Imputation) -> bool:
    ends = np.stack([answer.lower, answer.prediction, answer.upper])
    return bool(
        np.isfinite(ends).all()
        and np.all(np.diff(ends, axis=0) >= 0)
        and answer.importances.sum() == pytest.approx(1)
        and answer.correlation.shape == (len(answer.features),) * 2
        and np.isfinite([answer.rmse, answer.rmse_deviation]).all()
    )


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("interpolator", list(Interpolator))
@pytest.mark.parametrize("model", list(Model))
def test_every_choice_answers_for_the_small_islands_that_miss_the_target(
    choice: dict[str, object], interpolator: Interpolator, model: Model
) -> None:
    answer = ask(make(), interpolator=interpolator, model=model, estimators=5, **choice)
    assert answer.rows.tolist() == list(range(8))
    assert answer.model is not Model.all
    assert _sound(answer)


def test_predictors_beat_the_mean_where_they_know_something() -> None:
    whole, table = make(1, hidden=0, n_countries=100, noise=0.1), make(1, n_countries=100, noise=0.1, cold=True)
    answer = ask(table, scheme=Scheme.AFS, number_predictor=5, estimators=50)
    truth = whole.now[answer.rows, 0]
    mean = np.nanmean(table.now[:, 0])
    assert np.abs(answer.prediction - truth).mean() < 0.7 * np.abs(mean - truth).mean()


def test_the_reported_error_is_of_the_size_of_the_error_on_hidden_values() -> None:
    reported, found = [], []
    for seed in range(8):
        whole, table = make(seed, hidden=0, n_countries=100), make(seed, hidden=20, n_countries=100, cold=True)
        answer = ask(table, scheme=Scheme.AFS, number_predictor=4, estimators=20)
        reported.append(answer.rmse**2)
        found.append(np.mean((answer.prediction - whole.now[answer.rows, 0]) ** 2))
    assert np.sqrt(np.mean(reported)) == pytest.approx(np.sqrt(np.mean(found)), rel=0.25)


def test_choosing_predictors_of_pure_noise_does_not_look_like_knowledge() -> None:
    table = make(3, n_indicators=60, cold=True)
    rng = np.random.default_rng(0)
    table.values[:, :, 0] = np.where(np.isnan(table.values[:, :, 0]), np.nan, rng.normal(size=table.values.shape[:2]))
    answer = ask(table, scheme=Scheme.AFS, number_predictor=5, estimators=20)
    assert answer.rmse > 0.9 * np.nanstd(table.now[:, 0])


def test_targets_are_missing_somewhere_but_not_nearly_everywhere() -> None:
    table = make(missing=0.0)
    table.now[:50, 2] = np.nan
    eligible = eligible_targets(table, YEAR)
    assert eligible[0]
    assert not eligible[1]
    assert not eligible[2]


def test_predictors_are_observed_in_more_than_seven_of_ten_countries() -> None:
    table = make(missing=0.0)
    table.now[:18, 2] = np.nan
    table.now[:17, 3] = np.nan
    eligible = eligible_predictors(table, YEAR)
    assert not eligible[2]
    assert eligible[3]


def test_automatic_selection_keeps_the_number_asked_for() -> None:
    assert len(ask(make(), scheme=Scheme.AFS, number_predictor=3).features) == 3


@pytest.mark.parametrize("scheme", [Scheme.AFS, Scheme.PCA])
def test_more_predictors_than_there_are_means_all(scheme: Scheme) -> None:
    assert ask(make(), scheme=scheme, number_predictor=99).features == tuple(range(1, 12))


def test_principal_components_do_not_pick_two_of_the_same() -> None:
    table = make(missing=0.0)
    table.values[:, :, 5] = table.values[:, :, 4]
    assert not {4, 5} <= set(ask(table, scheme=Scheme.PCA, number_predictor=3).features)


def test_predictors_by_hand_keep_their_order() -> None:
    assert ask(make(), predictors=(7, 2, 5)).features == (7, 2, 5)


def test_nobody_to_answer_for_gives_an_empty_answer_with_an_error_estimate() -> None:
    answer = ask(make(hidden=0))
    assert len(answer.rows) == len(answer.prediction) == len(answer.lower) == 0
    assert answer.rmse > 0


def test_a_constant_target_is_answered_as_such() -> None:
    table = make()
    table.values[:, :, 0] = np.where(np.isnan(table.values[:, :, 0]), np.nan, 5.0)
    answer = ask(table)
    np.testing.assert_allclose(answer.prediction, 5.0)
    assert (answer.rmse, answer.rmse_deviation) == (0, 0)
    assert "constant_target" in {caveat.code for caveat in answer.caveats}


@pytest.mark.parametrize("value", [0.0, 3.0])
@pytest.mark.parametrize("interval", list(Interval))
def test_constant_predictors_do_not_stop_an_answer(value: float, interval: Interval) -> None:
    table = make(cold=True)
    table.values[:, :, 1:4] = value
    assert _sound(ask(table, interval=interval))


@pytest.mark.parametrize("model", [Model.rfr, Model.etr, Model.gbr])
@pytest.mark.parametrize("interval", list(Interval))
@pytest.mark.parametrize("use_history", [True, False])
def test_three_training_countries_are_enough(model: Model, interval: Interval, use_history: bool) -> None:
    table = make(n_countries=14, hidden=0)
    table.now[3:, 0] = np.nan
    answer = ask(table, model=model, interval=interval, use_history=use_history, estimators=3)
    assert _sound(answer)
    assert answer.n_train == 3
    assert "few_training_rows" in {caveat.code for caveat in answer.caveats}


def test_two_training_countries_are_refused_with_advice() -> None:
    table = make(n_countries=14, hidden=0)
    table.now[2:, 0] = np.nan
    with pytest.raises(ImputationError, match="try another year"):
        ask(table)


def _blind() -> Table:
    """Country 0 has no observation in the year, and no target in any."""
    table = make(cold=True)
    table.now[0] = np.nan
    return table


@pytest.mark.parametrize("interpolator", list(Interpolator))
def test_a_country_of_which_nothing_is_known_gets_the_spread_of_the_others_and_a_caveat(
    interpolator: Interpolator,
) -> None:
    table = _blind()
    answer = ask(table, interpolator=interpolator)
    width = answer.upper - answer.lower
    trained = table.now[:, 0][np.isfinite(table.now[:, 0])]
    assert (0, "no_predictors_observed") in {(caveat.row, caveat.code) for caveat in answer.caveats}
    assert width[0] >= np.quantile(trained, 0.94) - np.quantile(trained, 0.06)


def test_a_known_country_has_no_such_caveat() -> None:
    codes = {caveat.code for caveat in ask(_blind()).caveats if caveat.row != 0}
    assert "no_predictors_observed" not in codes


def test_predictors_estimated_from_other_indicators_are_told() -> None:
    table = make(cold=True)
    table.now[1, 1:4] = np.nan
    assert (1, "predictors_interpolated") in {(caveat.row, caveat.code) for caveat in ask(table).caveats}


def test_an_observation_many_years_away_is_told() -> None:
    table = make(n_years=17)
    table.values[1:, 2, 0] = np.nan
    assert (2, "far_history") in {(caveat.row, caveat.code) for caveat in ask(table).caveats}


def test_the_target_does_not_influence_its_own_predictors() -> None:
    table, other = make(cold=True), make(cold=True)
    other.values[:, :, 0] = -other.values[:, :, 0]
    other.digest = "other"
    for interpolator in Interpolator:
        first, second = (ask(data, interpolator=interpolator) for data in (table, other))
        np.testing.assert_allclose(first.correlation, second.correlation, atol=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"year": 1900},
        {"target": 99},
        {"estimators": 0},
        {"predictors": ()},
        {"predictors": (0,)},
        {"predictors": (1, 1)},
        {"scheme": Scheme.AFS, "number_predictor": 0},
        {"scheme": Scheme.PCA, "number_predictor": None},
    ],
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ImputationError):
        ask(make(), **wrong)


def test_predictors_that_are_mostly_missing_are_refused_by_name() -> None:
    table = make()
    table.now[:30, 2] = np.nan
    with pytest.raises(ImputationError, match="x-2"):
        ask(table)


def test_a_data_set_of_small_islands_alone_is_answered() -> None:
    table = make()
    table.sids[:] = True
    assert _sound(ask(table))


def test_without_small_islands_there_is_nobody_to_answer_for() -> None:
    table = make()
    table.sids[:] = False
    assert len(ask(table).rows) == 0


@pytest.mark.parametrize("estimators", [1, 2, 3])
@pytest.mark.parametrize("interval", list(Interval))
def test_tiny_forests_answer(estimators: int, interval: Interval) -> None:
    assert _sound(ask(make(cold=True), estimators=estimators, interval=interval))
