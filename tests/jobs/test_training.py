"""Trainings: what they publish, how often, and what becomes of those that go wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from common.clock import FakeClock
from common.database import Database
from common.jobs.errors import JobRefused
from common.jobs.states import State
from common.jobs.train_context import TrainContext
from common.jobs.training import oldest_training
from common.registry.garbage import Garbage
from common.settings import RegistrySettings
from tests.jobs.trainings import MODEL, Ask, Trainings, searching


@pytest.fixture
def trainings(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Trainings]:
    database = Database(sqlite_url)
    yield Trainings(database, tmp_path, clock)
    database.close()


def publishing(*artefacts: Any, metrics: Any = None, **options: Any) -> Callable[[TrainContext, Ask], None]:
    def train(context: TrainContext, request: Ask) -> None:
        for artefact in artefacts:
            context.publish(artefact, metrics or {}, **options)

    return train


def test_a_training_publishes_the_best_and_points_the_alias_to_it(trainings: Trainings) -> None:
    job = trainings.run()
    assert job.state is State.SUCCEEDED
    (version,) = trainings.versions()
    assert (version.number, version.job_id, version.author) == (1, job.id, "ada")
    assert trainings.registry.resolve(MODEL) == version
    assert json.loads(trainings.artefact(version, "best.json")) == trainings.result(job)["best_params"]


def test_the_result_names_the_version_the_metrics_and_the_trials(trainings: Trainings) -> None:
    trainings.run()
    job = trainings.run(seed=1, trials=5)
    result = trainings.result(job)
    best = min(trainings.trials(job), key=lambda trial: float(trial["value"]))
    assert (result["model"], result["version"]) == (MODEL, 2)
    assert result["metrics"] == {"error": best["value"]}
    assert result["best_params"] == best["params"]
    assert result["trials"] == {"complete": 5, "pruned": 0, "failed": 0}


def test_progress_tells_the_trials_and_the_best_so_far(trainings: Trainings) -> None:
    job = trainings.run(trials=4)
    assert (job.fraction, job.message) == (1.0, "4 of 4 trials")
    assert job.metrics["best"] == trainings.result(job)["metrics"]["error"]


def test_a_training_that_searches_nothing_has_no_trials(trainings: Trainings) -> None:
    trainings.declare(publishing(b"weights", metrics={"loss": 0.5}))
    job = trainings.run()
    result = trainings.result(job)
    assert result == {"model": MODEL, "version": 1, "metrics": {"loss": 0.5}, "best_params": None, "trials": None}
    assert trainings.trials(job) == []


def test_artefacts_are_bytes_or_files_by_name(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"from a file")
    trainings.declare(publishing({"a.bin": tmp_path / "weights.bin", "b.bin": b"bytes"}, data_hash="d1"))
    trainings.run()
    (version,) = trainings.versions()
    contents = {a.name: trainings.artefact(version, a.name) for a in version.artefacts}
    assert contents == {"a.bin": b"from a file", "b.bin": b"bytes"}
    assert version.data_hash == "d1"


def test_a_version_says_what_it_takes_and_what_it_is(trainings: Trainings) -> None:
    signature = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []}
    about: dict[str, Any] = {"signature": signature, "description": "a line", "tags": {"team": "blue"}}
    trainings.declare(publishing(b"weights", **about))
    trainings.run()
    (version,) = trainings.versions()
    assert (version.signature, version.description, version.tags) == tuple(about.values())


def test_a_training_whose_artefact_was_collected_publishes_it_at_its_next_attempt(
    trainings: Trainings, clock: FakeClock
) -> None:
    garbage = Garbage(trainings.database, trainings.blobs, RegistrySettings(), clock=clock)
    attempts: list[int] = []

    def train(context: TrainContext, request: Ask) -> None:
        context.publish(b"weights", {})
        attempts.append(1)
        if len(attempts) == 1:
            garbage.collect()
            clock.advance(2 * 86400)
            assert garbage.collect().blobs == 1

    trainings.declare(train)
    job = trainings.run()
    assert job.state is State.RETRYING
    assert trainings.versions() == []
    assert trainings.kernel.run(job).state is State.SUCCEEDED
    (version,) = trainings.versions()
    assert trainings.artefact(version, "model") == b"weights"


def test_nothing_is_collected_that_was_put_since_the_oldest_training_that_runs_began(
    trainings: Trainings, clock: FakeClock
) -> None:
    garbage = Garbage(
        trainings.database,
        trainings.blobs,
        RegistrySettings(),
        clock=clock,
        busy_since=lambda: oldest_training(trainings.database),
    )
    began: list[object] = []

    def train(context: TrainContext, request: Ask) -> None:
        began.append(oldest_training(trainings.database))
        context.publish(b"weights", {})
        garbage.collect()
        clock.advance(2 * 86400)
        assert garbage.collect().blobs == 0

    trainings.declare(train)
    assert trainings.run().state is State.SUCCEEDED
    assert began != [None]
    assert oldest_training(trainings.database) is None


def test_of_two_publications_the_last_counts(trainings: Trainings) -> None:
    trainings.declare(publishing(b"first", b"second"))
    trainings.run()
    (version,) = trainings.versions()
    assert trainings.artefact(version, "model") == b"second"


def test_a_version_may_be_published_without_moving_an_alias(trainings: Trainings) -> None:
    trainings.declare(publishing(b"x", alias=None))
    trainings.run()
    assert trainings.registry.get_model(MODEL).aliases == {}


def test_a_training_that_publishes_nothing_names_no_version(trainings: Trainings) -> None:
    trainings.declare(lambda context, request: None)
    job = trainings.run()
    assert (job.state, trainings.result(job)["version"]) == (State.SUCCEEDED, None)


def test_metrics_that_are_no_numbers_are_null(trainings: Trainings) -> None:
    trainings.declare(publishing(b"x", metrics={"loss": float("nan")}))
    job = trainings.run()
    assert trainings.result(job)["metrics"] == {"loss": None}
    assert trainings.versions()[0].metrics == {"loss": None}


def test_a_training_that_fails_after_publishing_has_published_nothing(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        context.publish(b"x", {})
        raise JobRefused("not good enough")

    trainings.declare(train)
    job = trainings.run()
    assert (job.state, job.error) == (State.FAILED, "not good enough")
    assert trainings.versions() == []


def test_a_training_that_runs_twice_publishes_once(trainings: Trainings) -> None:
    runs: list[int] = []

    def train(context: TrainContext, request: Ask) -> None:
        context.publish(b"x", {})
        runs.append(1)
        if len(runs) == 1:
            raise ConnectionError("the network is away")

    trainings.declare(train)
    job = trainings.run()
    assert (job.state, trainings.versions()) == (State.RETRYING, [])
    job = trainings.kernel.run(job)
    assert (job.state, len(trainings.versions()), trainings.result(job)["version"]) == (State.SUCCEEDED, 1, 1)


def test_an_attempt_that_was_replaced_publishes_nothing(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        trainings.kernel.execute("UPDATE jobs SET epoch = epoch + 1, heartbeat_at = NULL")
        context.publish(b"x", {})

    trainings.declare(train)
    trainings.run()
    assert trainings.versions() == []


def test_code_that_raises_is_tried_again_until_the_job_is_dead(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        raise ZeroDivisionError("by nothing")

    trainings.declare(train)
    job = trainings.submit()
    states = [trainings.kernel.run(job).state for _ in range(3)]
    assert states == [State.RETRYING, State.RETRYING, State.DEAD]
    assert trainings.kernel.get(job).error == "ZeroDivisionError: by nothing"


def test_a_body_that_does_not_fit_fails_the_job_and_names_the_field(trainings: Trainings) -> None:
    job = trainings.run(trials=0)
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.startswith("trials:")


def test_a_model_that_this_worker_does_not_serve_fails_the_job(trainings: Trainings) -> None:
    job = trainings.run(model="other")
    assert (job.state, job.error) == (State.FAILED, "this worker does not serve other; see SERVICE_MODEL")


def test_a_model_without_a_training_fails_the_job(trainings: Trainings) -> None:
    trainings.declare(None)
    assert trainings.run().error == "line cannot be trained"


def test_a_model_whose_data_is_away_is_trained_later(trainings: Trainings) -> None:
    def load() -> None:
        raise OSError("no share")

    trainings.declare(searching(), load=load)
    job = trainings.run()
    assert (job.state, job.error) == (State.RETRYING, "line is unavailable: OSError: no share")


def test_the_model_is_loaded_before_it_is_trained(trainings: Trainings) -> None:
    order: list[str] = []
    trainings.declare(lambda context, request: order.append("train"), load=lambda: order.append("load"))
    trainings.run()
    assert order == ["load", "train"]


def test_a_checkpoint_survives_the_attempt(trainings: Trainings) -> None:
    found: list[bytes | None] = []

    def train(context: TrainContext, request: Ask) -> None:
        found.append(context.checkpoint.load())
        context.checkpoint.save(b"half")
        if len(found) == 1:
            raise OSError("gone")

    trainings.declare(train)
    trainings.kernel.run(trainings.run())
    assert found == [None, b"half"]


def test_a_cancelled_training_stops_between_trials_and_publishes_nothing(trainings: Trainings) -> None:
    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        if trial.number == 2:
            trainings.kernel.service.cancel(job.id)
        return 1.0

    trainings.declare(searching(objective))
    job = trainings.submit()
    assert trainings.kernel.run(job).state is State.CANCELLED
    assert [trial["state"] for trial in trainings.trials(job)] == ["complete"] * 3
    assert trainings.versions() == []


def test_a_cancelled_trial_leaves_when_it_reports(trainings: Trainings) -> None:
    def train(context: TrainContext, request: Ask) -> None:
        def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
            trainings.kernel.service.cancel(job.id)
            context.report(trial, 1.0, step=1)
            raise AssertionError("it went on")

        context.optimize(objective, 5)

    trainings.declare(train)
    job = trainings.submit()
    assert trainings.kernel.run(job).state is State.CANCELLED
    assert [trial["state"] for trial in trainings.trials(job)] == ["abandoned"]
