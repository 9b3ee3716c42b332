"""How far an imputation is, as its job shows it."""

import pytest

from common.serving.progress import Stopped, listening
from models.imputation.engine import Interpolator, Interval, Level1Memory, Model, Scheme, Spec, impute
from models.imputation.steps import solving, steps
from tests.models.imputation.engine.tables import YEAR, ask, make

AFS = {"scheme": Scheme.AFS, "number_predictor": 4}


class Told:
    def __init__(self, stop_after: int | None = None) -> None:
        self.fractions: list[float] = []
        self.messages: list[str] = []
        self._stop_after = stop_after

    def check_cancelled(self) -> None:
        if self._stop_after is not None and len(self.fractions) >= self._stop_after:
            raise Stopped

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        assert fraction is not None
        self.fractions.append(fraction)
        if message and message not in self.messages:
            self.messages.append(message)


@pytest.mark.parametrize("interval", list(Interval))
@pytest.mark.parametrize("interpolator", list(Interpolator))
@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("choice", [AFS, {"scheme": Scheme.PCA, "number_predictor": 4}, {}])
def test_the_fraction_rises_from_0_to_nearly_1_and_never_falls(
    choice: dict[str, object], model: Model, interpolator: Interpolator, interval: Interval
) -> None:
    told = Told()
    with listening(told):
        ask(make(), model=model, interpolator=interpolator, interval=interval, estimators=5, **choice)
    assert told.fractions[0] == 0
    assert told.fractions == sorted(told.fractions)
    assert 0.8 < told.fractions[-1] <= 1


@pytest.mark.parametrize("changes", [{"use_history": False}, {"use_history": True}])
def test_one_answer_takes_the_place_of_two(changes: dict[str, object]) -> None:
    told = Told()
    with listening(told):
        ask(make(cold=True), model=Model.gbr, estimators=20, **AFS, **changes)
    assert told.fractions == sorted(told.fractions)
    assert max(b - a for a, b in zip(told.fractions, told.fractions[1:], strict=False)) < 0.25


def test_what_is_being_done_is_said_in_order() -> None:
    told = Told()
    with listening(told):
        ask(make(), **AFS)
    assert told.messages == [
        "filling the predictors",
        "choosing predictors",
        "choosing among learners on countries held out",
        "learning from all countries",
        "calibrating the intervals",
    ]


def test_telling_changes_no_answer() -> None:
    silent = ask(make(), model=Model.all, **AFS)
    with listening(Told()):
        told = ask(make(), model=Model.all, **AFS)
    assert told.prediction.tolist() == silent.prediction.tolist()
    assert told.lower.tolist() == silent.lower.tolist()


@pytest.mark.parametrize("after", [1, 5, 40])
def test_an_imputation_that_is_to_stop_stops(after: int) -> None:
    told = Told(stop_after=after)
    with listening(told), pytest.raises(Stopped):
        ask(make(), model=Model.gbr, estimators=50, **AFS)
    assert len(told.fractions) == after


def test_one_that_stopped_leaves_the_years_table_for_others_to_compute() -> None:
    memory, data = Level1Memory(), make()
    spec = Spec(
        target=0, year=YEAR, scheme=Scheme.MANUAL, predictors=(1, 2), interpolator=Interpolator.IterativeImputer
    )
    with listening(Told(stop_after=3)), pytest.raises(Stopped):
        impute(data, spec, memory)
    assert not memory.holds(data, YEAR, Interpolator.IterativeImputer)
    assert len(impute(data, spec, memory).prediction) == 8


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("warm", [True, False])
def test_the_steps_lie_in_order_within_the_whole(scheme: Scheme, model: Model, warm: bool) -> None:
    filled, chosen = steps(Spec(0, YEAR, scheme=scheme, model=model, estimators=1), warm)
    choosing, learning = solving(model, 1)
    assert 0 < filled < chosen < 1
    assert 0 < choosing < learning < 1
