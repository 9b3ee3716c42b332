"""The search of a training: seeds, failures, pruning, time-outs, and going on after an interruption."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from common.clock import FakeClock
from common.database import Database
from common.errors import Invalid
from common.jobs.records import Job
from common.jobs.states import State
from common.jobs.studies import trials_of
from common.jobs.train_context import TrainContext
from tests.jobs.kernel import wait_until
from tests.jobs.trainings import (
    TRIALS,
    Ask,
    Trainings,
    distance,
    lines,
    noting,
    real,
    searching,
    suggest,
    values_of,
)

CHECKOUT = Path(__file__).parents[2]


class Killed(BaseException):
    """Ends an attempt where a lost worker would, without a word to the store."""


@pytest.fixture
def trainings(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Trainings]:
    database = Database(sqlite_url)
    yield Trainings(database, tmp_path, clock)
    database.close()


def interrupt(trainings: Trainings, job: Job, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the training until its worker vanishes within trial number `at`, and notice that it did."""

    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        if trial.number == at:
            raise Killed
        return distance(values, trial)

    trainings.declare(searching(objective))
    with monkeypatch.context() as lost:
        lost.setattr(trainings.kernel.store, "finish", lambda *_: trainings.kernel.get(job))
        trainings.kernel.run(job)
    (beat,) = trainings.kernel.store.beats()
    trainings.kernel.store.lose(beat)
    trainings.declare(searching())


def test_the_same_seed_tries_the_same(trainings: Trainings) -> None:
    first, again, other = trainings.run(seed=1), trainings.run(seed=1), trainings.run(seed=2)
    assert values_of(trainings.trials(first)) == values_of(trainings.trials(again))
    assert values_of(trainings.trials(first)) != values_of(trainings.trials(other))


def test_an_interrupted_search_tries_what_an_uninterrupted_one_does(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trainings.submit()
    interrupt(trainings, job, 13, monkeypatch)
    ended = trainings.kernel.run(job)
    whole = trainings.run()
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 2)
    assert values_of(trainings.trials(job)) == values_of(trainings.trials(whole))


def test_finished_trials_stay_and_the_one_under_way_is_made_up_for(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trainings.submit(trials=5)
    interrupt(trainings, job, 3, monkeypatch)
    before = trainings.trials(job)
    trainings.kernel.run(job)
    after = trainings.trials(job)
    assert after[:3] == before[:3]
    assert [trial["state"] for trial in after] == ["complete"] * 3 + ["abandoned"] + ["complete"] * 2
    assert trainings.result(job)["trials"] == {"complete": 5, "pruned": 0, "failed": 0}


def test_an_attempt_that_was_replaced_writes_no_trial(trainings: Trainings) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        trainings.kernel.execute("UPDATE jobs SET epoch = epoch + 1")
        return 1.0

    trainings.declare(searching(objective))
    job = trainings.run()
    assert [trial["state"] for trial in trainings.trials(job)] == ["running"]


def test_a_trial_that_fails_is_made_up_for_and_logged(trainings: Trainings) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        if trial.number == 1:
            raise ZeroDivisionError("by nothing")
        return distance(values, trial)

    trainings.declare(searching(objective))
    job = trainings.run(trials=4)
    states = [trial["state"] for trial in trainings.trials(job)]
    assert (job.state, states) == (State.SUCCEEDED, ["complete", "failed", "complete", "complete", "complete"])
    assert "trial 1 failed: ZeroDivisionError: by nothing" in trainings.logged(job)


@pytest.mark.parametrize(("trials", "tried"), [(3, 3), (500, 10)])
def test_an_objective_that_only_fails_ends_the_job_soon(trainings: Trainings, trials: int, tried: int) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        raise ZeroDivisionError("by nothing")

    trainings.declare(searching(objective))
    job = trainings.run(trials=trials)
    assert job.state is State.FAILED
    assert job.error == f"{tried} trials failed; the last one: ZeroDivisionError: by nothing"
    assert len(trainings.trials(job)) == tried


def test_a_failed_search_that_a_person_retries_gets_new_trials(trainings: Trainings) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        raise OSError("the share is away")

    trainings.declare(searching(objective))
    job = trainings.run(trials=3)
    trainings.declare(searching())
    trainings.kernel.service.retry(job.id)
    assert trainings.kernel.run(job).state is State.SUCCEEDED
    assert trainings.result(job)["trials"] == {"complete": 3, "pruned": 0, "failed": 3}


def test_an_objective_without_a_figure_is_a_failed_trial(trainings: Trainings) -> None:
    trainings.declare(searching(lambda values, trial: float("nan")))
    job = trainings.run(trials=1)
    assert job.error == "1 trials failed; the last one: ValueError: the objective gave nan"


def test_a_refusal_within_a_trial_refuses_the_job(trainings: Trainings) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        raise Invalid("no such target")

    trainings.declare(searching(objective))
    job = trainings.run()
    assert (job.state, job.error, len(trainings.trials(job))) == (State.FAILED, "no such target", 1)


def test_trials_that_compare_badly_are_pruned_and_count(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
            for step in (1, 4, 16):
                context.report(trial, distance(values, trial) + 1 / step, step)
            return distance(values, trial)

        context.optimize(objective, request.trials)

    trainings.declare(train)
    job = trainings.run()
    told = trainings.result(job)["trials"]
    assert told["pruned"] > 0
    assert told["complete"] + told["pruned"] == TRIALS
    pruned = next(trial for trial in trainings.trials(job) if trial["state"] == "pruned")
    assert set(pruned["intermediate"]) < {"1", "4", "16"}


def test_a_space_may_choose_direction_sampler_and_pruner(trainings: Trainings) -> None:
    trainings.declare(
        searching(),
        DIRECTION="maximize",
        sampler=lambda seed: optuna.samplers.RandomSampler(seed=seed),
        pruner=optuna.pruners.NopPruner,
    )
    job = trainings.run()
    values = [trial["value"] for trial in trainings.trials(job)]
    assert trainings.result(job)["metrics"] == {"error": max(values)}


def test_the_first_trials_try_what_they_are_told(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        context.optimize(distance, 3, first=[{"x": 3.0, "kind": "b"}, {"x": 1000.0}])

    trainings.declare(train)
    first, second, _ = trainings.trials(trainings.run())
    assert first["params"] == {"x": 3.0, "kind": "b"}
    assert -10 <= second["params"]["x"] <= 10


def test_values_are_those_that_the_space_makes_of_them(trainings: Trainings) -> None:
    trainings.declare(searching(), suggest=lambda trial: {**suggest(trial), "twice": 2 * suggest(trial)["x"]})
    job = trainings.run(trials=3)
    best = trainings.result(job)["best_params"]
    assert best["twice"] == 2 * best["x"]


def test_no_trial_begins_after_the_time_out(trainings: Trainings, clock: FakeClock) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        clock.advance(10)
        return 1.0

    trainings.declare(searching(objective))
    job = trainings.run(timeout_s=25)
    assert (job.state, trainings.result(job)["trials"]["complete"]) == (State.SUCCEEDED, 3)
    assert "the time is over after 3 of 20 trials" in trainings.logged(job)


def test_a_time_out_counts_from_the_first_attempt(
    trainings: Trainings, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trainings.submit(timeout_s=100)
    interrupt(trainings, job, 2, monkeypatch)
    clock.advance(101)
    trainings.kernel.run(job)
    assert trainings.result(job)["trials"]["complete"] == 2


def test_a_time_out_without_any_trial_is_refused(trainings: Trainings) -> None:
    job = trainings.run(timeout_s=0)
    assert (job.state, job.error) == (State.FAILED, "no trial was complete within 0.0 s; give it more time")


def test_trials_tell_their_times_in_utc(trainings: Trainings) -> None:
    trial = trainings.trials(trainings.run(trials=1))[0]
    assert trial["started_at"].endswith("+00:00")
    assert trial["started_at"] <= trial["ended_at"]


def test_an_unknown_job_has_no_trials(trainings: Trainings) -> None:
    assert trials_of(trainings.database, "nothing") == []


def test_a_study_works_in_every_database(database: Database, tmp_path: Path, clock: FakeClock) -> None:
    trainings = Trainings(database, tmp_path, clock)
    job = trainings.run(trials=3)
    assert (job.state, len(trainings.trials(job))) == (State.SUCCEEDED, 3)
    assert trainings.result(job)["version"] == 1


def test_optuna_brings_no_tables_of_its_own(trainings: Trainings) -> None:
    before = trainings.kernel.execute("SELECT name FROM sqlite_master ORDER BY name")
    trainings.run(trials=2)
    assert trainings.kernel.execute("SELECT name FROM sqlite_master ORDER BY name") == before


def test_a_killed_worker_costs_no_finished_trial_and_no_second_version(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    arguments = [sys.executable, "-m", "tests.jobs.trainings", sqlite_url, str(tmp_path), str(file), "0.05"]
    trainings = real(sqlite_url, tmp_path, file, 0.0)
    job = trainings.submit()
    worker = subprocess.Popen(arguments, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(lines(file, "end")) >= 5, "the fifth trial")
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    killed_at = len(lines(file, "end"))
    assert killed_at < TRIALS
    assert trainings.kernel.state(job) is State.RUNNING

    def ended_at_last() -> bool:
        trainings.kernel.scheduler.tick()
        return trainings.kernel.state(job).is_finished

    with trainings.kernel.working():
        wait_until(ended_at_last, "the training")
    assert trainings.kernel.get(job).attempts == 2
    assert [(version.number, version.job_id) for version in trainings.versions()] == [(1, job.id)]
    ended = lines(file, "end")
    assert len(set(ended)) == len(ended)
    # A trial that had ended, but could not say so any more, runs again under another number.
    assert len(ended) in (TRIALS, TRIALS + 1)
    whole = Trainings(trainings.database, tmp_path, trainings.kernel.clock, noting(tmp_path / "other")).run()
    assert values_of(trainings.trials(job)) == values_of(trainings.trials(whole))
    trainings.database.close()
