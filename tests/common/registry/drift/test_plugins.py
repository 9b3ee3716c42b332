"""Plugins: rows of items that the version which serves has answered, and snapshots of trainings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.app import create_app
from common.registry.drift import snapshot
from common.registry.drift.files import Samples
from common.settings import PluginSettings, RegistrySettings, ServingSettings, Settings, StorageSettings
from tests.common.registry.drift.conftest import Site
from tests.support.clients import Client
from tests.support.plugins import write_plugin
from tests.support.trainings import TrainingClient

SOURCE = """
    import numpy as np
    from fastapi import APIRouter, Request
    from pydantic import BaseModel

    from common.plugins import BaseDefinition, Kept, Plugin
    from common.serving import answer_items

    router = APIRouter(prefix="/doubles")

    class Numbers(BaseModel):
        numbers: list[float]

    class Training(BaseDefinition):
        wrong: bool = False

    @router.post("/predict")
    async def predict(body: Numbers, request: Request) -> list[float]:
        return await answer_items(request, "doubles", body.numbers)

    def train(context, request):
        rows = np.random.default_rng(1).normal(size=300)
        columns = {"number": rows[:5] if request.wrong else rows, "output.prediction": 2 * rows}
        context.publish(b"doubles", {}, snapshot=columns)

    plugin = Plugin(
        load=lambda: None,
        serve_version=lambda held: None,
        predict_batch=lambda numbers: [2 * number for number in numbers],
        cache=Kept(lambda number: str(number).encode()),
        row=lambda number: {"number": number},
        train=train,
        train_request=Training,
    )
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(
        plugins=PluginSettings(
            path=(write_plugin(tmp_path / "plugins", "doubles", SOURCE),), service_model=("doubles",)
        ),
        storage=StorageSettings(state_dir=tmp_path / "state"),
        serving=ServingSettings(threads=2),
        registry=RegistrySettings(sampling=True),
    )
    made = Site(Client(create_app(settings)), tmp_path)
    yield made
    made.runtime.stop()


def train(site: Site, **body: bool) -> str:
    return TrainingClient(site.client.app).train("/doubles/train", **body).state.value  # type: ignore[arg-type]


def predict(site: Site, numbers: list[float]) -> None:
    assert site.client.post("/doubles/predict", json={"numbers": numbers}).status_code == 200


def test_a_training_leaves_a_snapshot_that_its_requests_are_compared_with(site: Site) -> None:
    assert train(site) == "succeeded"
    site.runtime.records[0].load()
    # What a thread does each second.
    for follower in site.runtime._following.followers:
        follower.look()
    assert site.keep("doubles").status_code == 200
    numbers = np.random.default_rng(2).normal(size=150).round(2).tolist()
    # The second time they come from the cache, and count all the same.
    predict(site, numbers)
    predict(site, numbers)
    calm = site.drift(model="doubles")
    assert calm.status_code == 200, calm.text
    found = calm.json()
    assert (found["rows"], found["rows_reference"], found["verdict"]) == (300, 300, "stable")
    assert {item["column"] for item in found["columns"]} == {"input.number", "output.prediction"}


def test_by_the_inference_protocol_each_row_counts_once(site: Site) -> None:
    train(site)
    site.runtime.records[0].load()
    for follower in site.runtime._following.followers:
        follower.look()
    site.keep("doubles")
    tensor = {"name": "numbers", "datatype": "FP64", "shape": [3], "data": [1.0, 2.0, 3.0]}
    answer = site.client.post("/v2/models/doubles/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    assert site.sampler.flush() == 3
    assert sorted(Samples(site.registry.blobs.share).read("doubles", 1, most=9).columns["input.number"]) == [1, 2, 3]


def test_what_the_box_answers_is_not_kept(site: Site) -> None:
    site.registry.publish("doubles", {}, author="me", code_version="1")
    site.runtime.records[0].load()
    site.keep("doubles")
    predict(site, [1.0])
    assert site.sampler.waiting_rows("doubles") == 0


def test_a_training_with_columns_of_different_lengths_fails_and_publishes_nothing(site: Site) -> None:
    assert train(site, wrong=True) == "failed"
    assert site.client.get("/registry/doubles").status_code == 404


def test_of_a_large_snapshot_5000_rows_are_kept(site: Site) -> None:
    content = snapshot.packed({"x": np.arange(20_000.0), "t": np.array(["a"] * 20_000)})
    version = site.registry.publish("m", {snapshot.SNAPSHOT: content}, author="me", code_version="1")
    found = snapshot.read(site.registry, version)
    assert found is not None
    assert {name: column.size for name, column in found.items()} == {"input.x": 5000, "input.t": 5000}


def test_a_snapshot_that_came_damaged_is_told(site: Site) -> None:
    site.registry.publish("m", {snapshot.SNAPSHOT: b"no table"}, author="me", code_version="1")
    refused = site.drift(model="m")
    assert (refused.status_code, "snapshot.npz of m:1 is" in refused.json()["detail"]) == (409, True)
