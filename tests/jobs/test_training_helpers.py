"""Parallel trials: helpers that run trials of a training's study, and what happens when they do not."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from common.clock import FakeClock
from common.database import Database
from common.jobs.records import Job, JobFilter
from common.jobs.states import State
from tests.jobs.kernel import wait_until
from tests.jobs.trainings import TRIALS, Trainings, distance, searching

PATH = "/line/train?parallel_trials=3"


@pytest.fixture
def trainings(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Trainings]:
    database = Database(sqlite_url)
    yield Trainings(database, tmp_path, clock)
    database.close()


def helpers_of(trainings: Trainings, job: Job) -> list[Job]:
    found: list[Job] = trainings.kernel.store.list(JobFilter()).jobs
    return [other for other in found if other.id != job.id]


def test_a_training_runs_all_trials_itself_where_no_helper_begins(trainings: Trainings) -> None:
    job = trainings.run(path=PATH)
    assert (job.state, trainings.result(job)["trials"]["complete"]) == (State.SUCCEEDED, TRIALS)
    assert [helper.state for helper in helpers_of(trainings, job)] == [State.QUEUED, State.QUEUED]


def test_helpers_share_the_trials_and_publish_nothing(trainings: Trainings) -> None:
    together = threading.Barrier(3)
    attempts: set[str] = set()

    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        attempt = str(trial.user_attrs["attempt"])
        if attempt not in attempts:
            # The first trial of each waits for the others': three run at the same time.
            attempts.add(attempt)
            together.wait(60)
        return distance(values, trial)

    trainings.declare(searching(objective))
    job = trainings.submit(path=PATH)
    with trainings.kernel.working(concurrency=3):
        wait_until(lambda: trainings.kernel.state(job).is_finished, "the training")
        wait_until(lambda: all(h.state.is_finished for h in helpers_of(trainings, job)), "the helpers")
    assert trainings.kernel.state(job) is State.SUCCEEDED
    assert {helper.state for helper in helpers_of(trainings, job)} == {State.SUCCEEDED}
    # Two that see at the same moment that one trial is missing both run one.
    assert TRIALS <= trainings.result(job)["trials"]["complete"] < TRIALS + 3
    assert {attempt.partition("/")[0] for attempt in attempts} == {
        job.id,
        *(helper.id for helper in helpers_of(trainings, job)),
    }
    assert [version.job_id for version in trainings.versions()] == [job.id]


def test_a_retried_training_asks_for_no_more_helpers(trainings: Trainings) -> None:
    failures = [OSError("gone")]

    def train(context: Any, request: Any) -> None:
        context.optimize(distance, 2)
        if failures:
            raise failures.pop()

    trainings.declare(train)
    job = trainings.run(path=PATH)
    assert trainings.kernel.run(job).state is State.SUCCEEDED
    assert len(helpers_of(trainings, job)) == 2


def test_a_trial_of_a_lost_helper_is_made_up_for(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = trainings.submit(path=PATH, trials=3)

    def lost(values: dict[str, Any], trial: optuna.Trial) -> float:
        (helper, _) = helpers_of(trainings, job)
        if trial.number == 0:
            # A helper begins a trial, and vanishes with it.
            with monkeypatch.context() as away:
                away.setattr(trainings.kernel.store, "finish", lambda *_: trainings.kernel.get(helper))
                trainings.kernel.run(helper)
            beats = {beat.job_id: beat for beat in trainings.kernel.store.beats()}
            trainings.kernel.store.lose(beats[helper.id])
        elif trial.number == 1:
            raise SystemExit
        return distance(values, trial)

    trainings.declare(searching(lost))
    ended = trainings.kernel.run(job)
    states = [trial["state"] for trial in trainings.trials(job)]
    assert (ended.state, states) == (State.SUCCEEDED, ["complete", "abandoned", "complete", "complete"])


def test_a_helper_stops_when_its_training_has_ended(trainings: Trainings) -> None:
    job = trainings.run(path=PATH, trials=2)
    (helper, _) = helpers_of(trainings, job)
    assert trainings.kernel.run(helper).state is State.SUCCEEDED
    assert len(trainings.trials(job)) == 2


def test_a_helper_of_somebody_elses_training_is_refused(trainings: Trainings) -> None:
    job = trainings.submit()
    other = trainings.kernel.service.submit(
        job.kind, job.path, b"{}", model=job.model, owner="eve", headers={"atoll-helps": job.id}
    ).job
    assert trainings.kernel.run(other).error == "a helper belongs to a training of the same model and owner"
    assert trainings.trials(job) == []
