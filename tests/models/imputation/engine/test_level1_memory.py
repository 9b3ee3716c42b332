import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from common.serving.progress import Stopped
from models.imputation.engine import Interpolator, Level1Memory
from models.imputation.knn import KnnState
from models.imputation.spec import Floats
from tests.models.imputation.engine.tables import YEAR, make

KNN = Interpolator.KNNImputer


def test_a_state_asked_for_by_many_threads_at_once_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built, together = [], threading.Barrier(6)
    original = KnnState.build

    def counted(values: Floats) -> KnnState:
        built.append(1)
        return original(values)

    monkeypatch.setattr(KnnState, "build", staticmethod(counted))
    memory, data = Level1Memory(), make()

    def get(_: int) -> int:
        together.wait()
        return id(memory.get(data, YEAR, KNN))

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(get, range(6)))) == 1
    assert len(built) == 1


def test_the_memory_stays_within_its_bound_and_drops_the_least_recently_used() -> None:
    data = make()
    size = Level1Memory().get(data, YEAR, KNN).nbytes
    memory = Level1Memory(max_bytes=int(2.5 * size))
    first = memory.get(data, YEAR, KNN)
    memory.get(data, YEAR + 1, KNN)
    memory.get(data, YEAR, KNN)
    memory.get(data, YEAR + 2, KNN)
    assert memory.nbytes <= memory.max_bytes
    assert len(memory) == 2
    assert memory.get(data, YEAR, KNN) is first


def test_a_state_larger_than_the_bound_is_answered_but_not_kept() -> None:
    memory = Level1Memory(max_bytes=10)
    assert memory.get(make(), YEAR, KNN).nbytes > 10
    assert len(memory) == 0


def test_data_sets_are_told_apart_by_their_digest() -> None:
    memory = Level1Memory()
    assert memory.get(make(0), YEAR, KNN) is not memory.get(make(1), YEAR, KNN)


def test_a_failure_is_not_remembered() -> None:
    memory, data = Level1Memory(), make()
    with pytest.raises(ValueError, match="1900"):
        memory.get(data, 1900, KNN)
    memory.warm(data, YEAR, KNN)
    assert len(memory) == 1


def test_the_mean_fill_is_the_mean() -> None:
    data = make()
    level1 = Level1Memory().get(data, YEAR, Interpolator.SimpleImputer)
    wanted = level1.columns[2:3]
    column = data.now[:, wanted[0]]
    low, high = np.nanmin(column), np.nanmax(column)
    filled = level1.fill(wanted, np.zeros(0, np.int64))[np.isnan(column), 0]
    np.testing.assert_allclose(filled, (np.nanmean(column) - low) / (high - low))


def test_whoever_waits_for_one_that_is_stopped_computes_the_state_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    original, begun, waiting = KnnState.build, threading.Event(), threading.Event()
    memory, data = Level1Memory(), make()

    def stopped_at_first(values: Floats) -> KnnState:
        if not begun.is_set():
            begun.set()
            assert waiting.wait(30)
            raise Stopped
        return original(values)

    class Noticed(Future):  # type: ignore[type-arg]  # the class is only generic to type checkers
        def result(self, timeout: float | None = None) -> Any:
            waiting.set()
            return super().result(timeout)

    monkeypatch.setattr("models.imputation.level1.Future", Noticed)
    monkeypatch.setattr(KnnState, "build", staticmethod(stopped_at_first))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memory.get, data, YEAR, KNN)
        assert begun.wait(30)
        second = pool.submit(memory.get, data, YEAR, KNN)
        assert second.result(30) is memory.get(data, YEAR, KNN)
        assert isinstance(first.exception(30), Stopped)
