"""`POST …/train`, by the sample plugin: what is accepted, refused and documented, and what comes of it."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.jobs.helpers import parallel_trials
from common.jobs.states import Kind, State
from common.jobs.studies import trials_of
from models.sample import space, training
from tests.support.datasets import CHECKOUT
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid, assert_problem
from tests.support.trainings import TrainingClient

POINTS = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}

UNTRAINED = """
    from fastapi import APIRouter
    router = APIRouter(prefix="/untrained")
"""
OWN = """
    from fastapi import APIRouter
    router = APIRouter(prefix="/own")

    @router.post("/train")
    async def train() -> str:
        return "mine"
"""
HALF = """
    from fastapi import APIRouter
    from common.plugins import Plugin
    router = APIRouter(prefix="/half")
    plugin = Plugin(train=lambda context, request: None)
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TrainingClient]:
    made = TrainingClient(make_app(tmp_path / "state"))
    yield made
    made.jobs.stop(0)


def test_a_training_is_accepted_as_a_job(client: TrainingClient) -> None:
    job = client.job(client.post("/sample_model/train", json=POINTS))
    assert (job.kind, job.model, job.worker, job.state) == (Kind.TRAINING, "sample", "cpu", State.QUEUED)


def test_the_line_through_the_points_is_published(client: TrainingClient) -> None:
    job = client.train("/sample_model/train", **POINTS, trials=200)
    assert job.state is State.SUCCEEDED, job.error
    version = client.runtime.registry.resolve("sample")
    line = json.loads(client.runtime.registry.blobs.read(version.artefact("line.json").ref))
    assert line["slope"] == pytest.approx(2, abs=0.7)
    assert line["intercept"] == pytest.approx(1, abs=1.2)
    assert version.job_id == job.id


def test_the_trials_of_a_training_are_listed(client: TrainingClient) -> None:
    job = client.train("/sample_model/train", **POINTS, trials=3)
    trials = trials_of(client.jobs.database, job.id)
    assert [trial["state"] for trial in trials] == ["complete"] * 3


def test_a_model_is_trained_by_its_name_too(client: TrainingClient) -> None:
    assert client.train("/sample/train", **POINTS, trials=1).state is State.SUCCEEDED


def test_the_same_key_gives_the_same_training(client: TrainingClient) -> None:
    first, again = (
        client.post("/sample_model/train", json=POINTS, headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert first.headers["location"] == again.headers["location"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (POINTS | {"trials": 0}, "body.trials"),
        ({"x": [1]}, "body.y"),
        (POINTS | {"colour": "red"}, "body.colour"),
        (POINTS | {"y": [1]}, "body"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_before_anything_is_queued(
    client: TrainingClient, body: dict[str, Any], field: str
) -> None:
    assert_invalid(client.post("/sample_model/train", json=body), field)
    assert sum(client.jobs.store.counts().values()) == 0


@pytest.mark.parametrize("count", ["0", "17", "many"])
def test_parallel_trials_have_a_limit(client: TrainingClient, count: str) -> None:
    assert_invalid(client.post(f"/sample_model/train?parallel_trials={count}", json=POINTS), "query.parallel_trials")


def test_parallel_trials_are_kept_with_the_job(client: TrainingClient) -> None:
    job = client.job(client.post("/sample_model/train?parallel_trials=3", json=POINTS))
    assert parallel_trials(job.path) == 3


def test_a_model_that_cannot_be_trained_names_those_that_can(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "untrained", UNTRAINED)
    client = TrainingClient(make_app(tmp_path / "state", path=(path,), serve=("untrained", "sample")))
    response = client.post("/untrained/train", json={})
    assert_problem(response, 405, told="models that can: sample (POST /sample_model/train)")
    assert client.request("OPTIONS", "/untrained/train").headers["allow"] == response.headers["allow"]
    assert "/untrained/train" not in client.get("/openapi.json").json()["paths"]


def test_a_plugins_own_train_route_is_left_alone(tmp_path: Path) -> None:
    client = TrainingClient(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "own", OWN),), serve=("own",)))
    assert client.post("/own/train").json() == "mine"


def test_a_training_without_a_definition_makes_the_plugin_unavailable(tmp_path: Path) -> None:
    client = TrainingClient(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "half", HALF),), serve=("half",)))
    (model,) = client.get("/models").json()
    assert "`train` and `train_request` belong together" in model["reason"]


def test_the_training_is_documented_with_its_definition(client: TrainingClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/sample_model/train"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/SampleTraining"}
    assert {"202", "422"} <= set(operation["responses"])
    assert "straight line" in operation["description"]
    assert "200" not in operation["responses"]


def test_the_training_in_the_docs_is_the_samples() -> None:
    page = (CHECKOUT / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert inspect.getsource(training.train) in page
    assert inspect.getsource(space.suggest) in page


def test_a_prediction_is_answered_as_before(client: TrainingClient) -> None:
    assert client.post("/sample_model/predict", json={"requiredField": "x"}).json() == {"resp1": "Hello x"}
