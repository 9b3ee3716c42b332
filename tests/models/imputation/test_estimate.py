"""How long a prediction is expected to take: what counts in it, and that it is learnt from predictions."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models._indicators import IndicatorSet, load, write_sample
from models.imputation import choices
from models.imputation.engine import Level1Memory, impute
from models.imputation.estimate import FILE, Watch
from models.imputation.estimate_cost import UNIT_S
from models.imputation.estimate_store import Timings
from models.imputation.level1 import Level1
from models.imputation.spec import Interpolator, Interval, Model, Scheme, Spec
from tests.support.datasets import MANUAL
from tests.support.servers import Server

YEAR = 2010


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> IndicatorSet:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return load(folder, folder / "cache")


@pytest.fixture
def spec(data: IndicatorSet) -> Spec:
    target = min(choices.of_year(data, YEAR).targets)
    return Spec(target, YEAR, scheme=Scheme.AFS, number_predictor=5, estimators=20)


@pytest.fixture
def memory() -> Level1Memory:
    return Level1Memory()


@pytest.fixture
def watch(memory: Level1Memory, data: IndicatorSet, spec: Spec) -> Watch:
    """Of a process that has predicted before, so that what it has to import is behind it."""
    watch = Watch(memory, Timings(None, UNIT_S))
    watch.start(data, spec)
    return watch


MORE: dict[str, dict[str, Any]] = {
    "more trees": {"estimators": 200},
    "all kinds of trees": {"model": Model.all},
    "boosting": {"model": Model.gbr},
    "chained equations": {"interpolator": Interpolator.IterativeImputer},
}


@pytest.mark.parametrize("changed", MORE.values(), ids=MORE)
def test_what_is_more_work_is_expected_to_take_longer(
    watch: Watch, data: IndicatorSet, spec: Spec, changed: dict[str, Any]
) -> None:
    assert watch.estimate_s(data, replace(spec, **changed)) > 1.2 * watch.estimate_s(data, spec)


def test_choosing_predictors_takes_longer_than_having_them_named(watch: Watch, data: IndicatorSet, spec: Spec) -> None:
    named = tuple(sorted(choices.of_year(data, YEAR).predictors - {spec.target})[:5])
    by_hand = replace(spec, scheme=Scheme.MANUAL, predictors=named, number_predictor=None)
    assert watch.estimate_s(data, by_hand) < watch.estimate_s(data, spec)


@pytest.mark.parametrize("interpolator", list(Interpolator))
def test_a_year_that_is_known_takes_less(
    watch: Watch, memory: Level1Memory, data: IndicatorSet, spec: Spec, interpolator: Interpolator
) -> None:
    spec = replace(spec, interpolator=interpolator)
    before = watch.estimate_s(data, spec)
    memory.get(data, YEAR, interpolator)
    assert watch.estimate_s(data, spec) < before


def test_every_question_that_may_be_asked_has_an_estimate(watch: Watch, data: IndicatorSet, spec: Spec) -> None:
    for scheme in Scheme:
        for model in Model:
            for interval in Interval:
                for history in (True, False):
                    asked = replace(spec, scheme=scheme, model=model, interval=interval, use_history=history)
                    if scheme is Scheme.MANUAL:
                        asked = replace(asked, predictors=(0,), number_predictor=None)
                    assert 0 < watch.estimate_s(data, asked) < 60


def test_the_first_question_of_a_process_takes_longer(memory: Level1Memory, data: IndicatorSet, spec: Spec) -> None:
    watch = Watch(memory, Timings(None, UNIT_S))
    first = watch.estimate_s(data, spec)
    watch.start(data, spec)
    assert watch.estimate_s(data, spec) < first


def test_a_prediction_that_was_measured_is_learnt_from(memory: Level1Memory, data: IndicatorSet, spec: Spec) -> None:
    timings = Timings(None, UNIT_S)
    watch = Watch(memory, timings)
    for _ in range(3):
        measurement = watch.start(data, spec)
        impute(data, spec, memory)
        measurement.done()
    assert timings.count == 3


def test_a_prediction_that_failed_is_not(memory: Level1Memory, data: IndicatorSet, spec: Spec) -> None:
    timings = Timings(None, UNIT_S)
    Watch(memory, timings).start(data, spec)
    assert timings.count == 0


def test_one_that_only_waits_for_the_work_of_another_is_not(data: IndicatorSet, spec: Spec) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Held(Level1Memory):
        def _build(self, *asked: Any) -> Level1:
            begun.set()
            go_on.wait()
            return super()._build(*asked)

    memory, timings = Held(), Timings(None, UNIT_S)
    other = threading.Thread(target=memory.get, args=(data, YEAR, spec.interpolator))
    other.start()
    begun.wait()
    measurement = Watch(memory, timings).start(data, spec)
    go_on.set()
    impute(data, spec, memory)
    measurement.done()
    other.join()
    assert timings.count == 0


def test_a_server_learns_from_its_predictions_and_keeps_it(start_server: Callable[..., Server], tmp_path: Path) -> None:
    env = {"SERVICE_MODEL": "imputation", "ATOLL_STATE": str(tmp_path / "state")}
    server = start_server(env=env)
    years = server.get("/imputation/target_years").json()
    dataset = next(iter(server.get("/imputation/datasets", params={"target_year": years[-1]}).json()))
    offered = {"target_year": years[-1], "dataset": dataset}
    body = {
        "target_year": years[-1],
        "target": next(iter(server.get("/imputation/targets", params=offered).json())),
        "scheme": "AFS",
        "number_predictor": 5,
        "estimators": 10,
    }
    before = server.post("/imputation/estimate", json=body).json()
    assert server.post("/imputation/predict", json=body).status_code == 200
    after = server.post("/imputation/estimate", json=body).json()
    assert 0 < after < before
    server.stop()
    kept = Timings(tmp_path / "state" / "cache" / FILE, UNIT_S)
    assert kept.count == 1


def test_more_trees_are_expected_to_take_longer_over_http(sids_server: Server) -> None:
    def seconds(trees: int) -> float:
        told = sids_server.post("/imputation/estimate", json=MANUAL | {"estimators": trees})
        return float(told.json())

    assert 0 < seconds(10) < seconds(1000)
