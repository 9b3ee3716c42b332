"""A queued imputation shows how far it is."""

from collections.abc import Iterator
from typing import Any

import pytest

from models._indicators import source
from models.imputation import choices
from tests.jobs.kernel import in_thread
from tests.support.plugins import make_app
from tests.support.trainings import TrainingClient

YEAR = "2018"


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingClient]:
    # What is told is written down as often as it is asked for here.
    monkeypatch.setattr("common.jobs.attempt.LOOK_S", 0.01)
    made = TrainingClient(make_app(tmp_path_factory.mktemp("imputation"), serve=("imputation",)))
    made.runtime.records[0].load()
    yield made
    made.jobs.stop(0)


def test_its_fraction_rises_while_it_runs_and_its_bytes_are_those_of_the_direct_call(client: TrainingClient) -> None:
    data = source.current()
    target = data.indicators[min(choices.of_year(data, int(YEAR)).targets)]
    body = {"target_year": YEAR, "target": target, "scheme": "AFS", "number_predictor": 4, "estimators": 200}
    body |= {"model": "gbr"}
    job = client.job(client.post("/imputation/predict", json=body, headers={"Prefer": "respond-async"}))
    running = in_thread(lambda: client.run(job))
    seen: list[dict[str, Any]] = []
    while running.is_alive():
        seen.append(client.get(f"/jobs/{job.id}").json())
    fractions = [told["progress"] for told in seen if told["state"] == "running" and told["progress"] is not None]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 3
    assert {told["message"] for told in seen} & {"choosing among learners on countries held out"}
    result = client.get(f"/jobs/{job.id}/result")
    assert result.content == client.post("/imputation/predict", json=body).content
