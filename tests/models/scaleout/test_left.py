"""How long runs under way will still take: trees that are grown beside the requests, and curves until then."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI

from common.clock import FakeClock
from common.database import Database
from models.scaleout import left
from models.scaleout.learning.remaining import RemainingModel
from models.scaleout.left import Left
from models.scaleout.records import Application
from models.scaleout.store import RunStore
from models.scaleout.system import ScaleoutSystem, system_for
from tests.models.scaleout.learning.runs import run_of_jobs
from tests.support.clients import Client
from tests.support.plugins import make_app

JOBS, DAY_S = 10, 86_400.0


def made(name: str, day: int, *, jobs: int = JOBS, ended: bool = True) -> Application:
    """Jobs of some 20 s each, in some runs longer than in others."""
    rng = np.random.default_rng(day)
    times = 20 * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.05, jobs))
    return run_of_jobs(name, [float(time) for time in times], [4] * jobs, start_s=day * DAY_S, ended=ended)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.fromtimestamp(100 * DAY_S, UTC))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    found = RunStore(Database(f"sqlite:///{tmp_path}/runs.db"))
    for day in range(25):
        found.add(made(f"run-{day}", day))
    return found


@pytest.fixture
def known(store: RunStore, clock: FakeClock) -> Left:
    return Left(store, clock)


def test_nothing_is_said_before_trees_are_grown(known: Left) -> None:
    assert known.forecast(made("now", 50, jobs=4, ended=False)) is None


def test_trees_tell_what_is_left(known: Left) -> None:
    known.fit()
    whole = made("now", 50)
    told = known.forecast(made("now", 50, jobs=4, ended=False))
    assert told is not None
    assert told.model == "boosted-trees"
    assert told.median_s == pytest.approx(0.6 * (whole.runtime_s or 0.0), rel=0.25)
    assert told.low90_s <= told.low80_s <= told.median_s <= told.high80_s <= told.high90_s


def test_of_runs_that_are_not_like_any_nothing_is_said(known: Left) -> None:
    known.fit()
    other = run_of_jobs("now", [20.0] * 4, [4] * 4, ended=False, signature="of another program")
    assert known.forecast(other) is None
    assert known.forecast(made("now", 50, jobs=0, ended=False)) is None


def test_of_many_runs_the_newest_are_learned_from(known: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left, "MOST_RUNS", 22)
    known.fit()
    fitted = known._fitted
    assert fitted is not None
    assert [len(courses) for courses in fitted.courses.values()] == [22]


def test_trees_are_grown_anew_only_when_a_run_has_ended(
    store: RunStore, known: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []
    fit = RemainingModel.fit

    def counting(history: list[Application]) -> RemainingModel:
        fits.append(len(history))
        return fit(history)

    monkeypatch.setattr(RemainingModel, "fit", counting)
    known.fit()
    store.add(run_of_jobs("now", [20.0] * 4, [4] * 4, start_s=100 * DAY_S - 90, ended=False))
    known.fit()
    assert fits == [25]
    store.add(made("run-26", 26))
    known.fit()
    assert fits == [25, 26]


@pytest.fixture
def held(known: Left, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is not set, growing trees takes on."""
    event = threading.Event()
    monkeypatch.setattr(known, "fit", lambda: event.wait(60))
    yield event
    event.set()


def test_two_threads_never_grow_trees_at_once(known: Left, held: threading.Event, clock: FakeClock) -> None:
    thread = known.begin()
    assert thread is not None
    clock.advance(1000)
    assert known.begin() is None
    held.set()
    thread.join(60)
    assert not thread.is_alive()


def test_it_rests_for_many_times_as_long_as_it_took(known: Left, held: threading.Event, clock: FakeClock) -> None:
    thread = known.begin()
    assert thread is not None
    clock.advance(100)
    held.set()
    thread.join(60)
    clock.advance(1999)
    assert known.begin() is None
    clock.advance(2)
    again = known.begin()
    assert again is not None
    again.join(60)


def test_where_trees_cannot_be_grown_nothing_is_said_and_it_is_tried_again(
    known: Left, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ImportError("scikit-learn is not installed")

    with monkeypatch.context() as broken:
        broken.setattr(RemainingModel, "fit", fail)
        thread = known.begin()
        assert thread is not None
        thread.join(60)
    assert known.forecast(made("now", 50, jobs=4, ended=False)) is None
    clock.advance(1000)
    again = known.begin()
    assert again is not None
    again.join(60)
    assert known.forecast(made("now", 50, jobs=4, ended=False)) is not None


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return make_app(tmp_path / "state", serve=("scaleout",))


@pytest.fixture
def system(app: FastAPI, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> ScaleoutSystem:
    found = system_for(app.state.runtime)
    for day in range(25):
        found.store.add(made(f"run-{day}", day))
    monkeypatch.setattr(found.planner.past, "_clock", clock)
    # Each test says itself when trees are grown.
    monkeypatch.setattr(found.planner.left, "begin", lambda: None)
    return found


def test_a_run_under_way_tells_what_is_left_by_curves_and_then_by_trees(app: FastAPI, system: ScaleoutSystem) -> None:
    client = Client(app)
    system.store.add(run_of_jobs("now", [20.0] * 4, [4] * 4, start_s=100 * DAY_S - 90, ended=False))
    told = client.get("/scaleout/applications/now").json()["remaining"]
    assert told.pop("model") == "job curves of 25 runs, corrected on this run"
    assert list(told) == ["median_s", "low80_s", "high80_s", "low90_s", "high90_s"]
    assert told["low90_s"] < told["low80_s"] < told["median_s"] < told["high80_s"] < told["high90_s"]
    assert told["median_s"] == pytest.approx(120, rel=0.25)
    system.planner.left.fit()
    told = client.get("/scaleout/applications/now").json()["remaining"]
    assert told["model"] == "boosted-trees"
    assert told["median_s"] == pytest.approx(120, rel=0.25)


@pytest.mark.parametrize(
    "run",
    [
        made("now", 99),
        # It has all jobs, and nothing was heard of it for long.
        made("now", 99, ended=False),
        # It broke off.
        made("now", 90, jobs=4, ended=False),
        # It was submitted, and has not begun.
        Application("now", made("like", 0).context, signature="same"),
    ],
    ids=["ended", "silent at its end", "forgotten", "not begun"],
)
def test_of_a_run_that_is_not_under_way_nothing_is_left(app: FastAPI, system: ScaleoutSystem, run: Application) -> None:
    system.store.add(run)
    assert Client(app).get("/scaleout/applications/now").json()["remaining"] is None


def test_with_no_finished_run_like_it_nothing_is_said(app: FastAPI, system: ScaleoutSystem) -> None:
    run = run_of_jobs("now", [20.0], [4], start_s=100 * DAY_S - 60, ended=False, signature="new")
    system.store.add(replace(run, context=replace(run.context, algorithm="new")))
    answer = Client(app).get("/scaleout/applications/now")
    assert (answer.status_code, answer.json()["remaining"]) == (200, None)


def test_the_request_itself_grows_no_trees(
    app: FastAPI, system: ScaleoutSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are grown on another thread, once the request has begun it."""
    monkeypatch.undo()
    threads: list[str] = []
    monkeypatch.setattr(RemainingModel, "fit", lambda _: threads.append(threading.current_thread().name))
    system.store.add(run_of_jobs("now", [20.0] * 4, [4] * 4, start_s=datetime.now(UTC).timestamp() - 90, ended=False))
    assert Client(app).get("/scaleout/applications/now").status_code == 200
    thread = system.planner.left._thread
    if thread is not None:
        thread.join(60)
    assert threads == ["scaleout-left"]
