"""On the real indicators: the requests that the dashboard makes, and a small check that history helps."""

import numpy as np
import pytest

from models.imputation.engine import Interpolator, Interval, Level1Memory, Model, Scheme, Spec, eligible_targets, impute
from models.imputation.spec import Indicators
from tests.models.imputation.engine.tables import Table, real

ELECTRICITY = "key-wdi-EG.ELC.ACCS.ZS"
FARMLAND = "wdi-AG.LND.AGRI.K2"


@pytest.fixture(scope="module")
def islands() -> Indicators:
    return real("sids_small")


@pytest.mark.parametrize("interval", list(Interval))
def test_electricity_from_farmland_in_2001(islands: Indicators, interval: Interval) -> None:
    target, predictor = (list(islands.indicators).index(code) for code in (ELECTRICITY, FARMLAND))
    spec = Spec(target, 2001, Interpolator.KNNImputer, Scheme.MANUAL, (predictor,), None, 10, Model.rfr, interval)
    answer = impute(islands, spec, Level1Memory())
    assert answer.features == (predictor,)
    assert len(answer.rows) > 0
    assert answer.lower.min() >= 0
    assert answer.upper.max() <= 100


def test_electricity_from_ten_selected_indicators_leaves_its_clone_out(islands: Indicators) -> None:
    target = list(islands.indicators).index(ELECTRICITY)
    answer = impute(islands, Spec(target, 2001, number_predictor=10, estimators=100), Level1Memory())
    assert len(answer.features) == 10
    assert list(islands.indicators).index("wdi-EG.ELC.ACCS.ZS") in answer.excluded_clones


@pytest.mark.parametrize("year", [2001, 2010, 2018])
def test_sampled_targets_answer_in_order_and_finite(islands: Indicators, year: int) -> None:
    memory = Level1Memory()
    for target in np.flatnonzero(eligible_targets(islands, year))[::90]:
        answer = impute(islands, Spec(int(target), year, scheme=Scheme.PCA, number_predictor=5), memory)
        ends = np.stack([answer.lower, answer.prediction, answer.upper])
        assert np.isfinite(ends).all()
        assert np.all(np.diff(ends, axis=0) >= 0)


def test_own_years_beat_the_level_on_hidden_cells(islands: Indicators) -> None:
    rng = np.random.default_rng(0)
    year = 2010
    off: dict[bool, list[float]] = {True: [], False: []}
    at = list(islands.years).index(year)
    for target in rng.choice(np.flatnonzero(eligible_targets(islands, year)), 12, replace=False):
        values = np.array(islands.values)
        there = np.flatnonzero(np.isfinite(values[at, :, target]) & (np.isfinite(values[:, :, target]).sum(axis=0) > 3))
        if len(there) < 10:
            continue
        hidden = rng.choice(there, 3, replace=False)
        truth, spread = values[at, hidden, target].copy(), np.nanstd(values[at, :, target])
        values[at, hidden, target] = np.nan
        masked = Table(values, np.asarray(islands.sids), f"{target}", tuple(islands.units), tuple(islands.base_codes))
        masked.years = tuple(islands.years)
        for use_history in off:
            spec = Spec(int(target), year, scheme=Scheme.PCA, number_predictor=4, use_history=use_history)
            answer = impute(masked, spec, Level1Memory())
            error = np.abs(answer.prediction[np.searchsorted(answer.rows, hidden)] - truth)
            off[use_history] += np.minimum(error / max(spread, 1e-12), 3).tolist()
    assert np.mean(off[True]) < 0.7 * np.mean(off[False])
