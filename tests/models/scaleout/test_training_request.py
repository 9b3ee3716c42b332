"""What an old trigger of a training asks for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.database import Database
from common.errors import Invalid
from models.scaleout.old_definitions import OldTraining
from models.scaleout.store import RunStore
from models.scaleout.training_request import training_body
from tests.models.scaleout.graph.synthetic import made_runs


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    found = RunStore(Database(f"sqlite:///{tmp_path}/runs.db"))
    for run in made_runs(("kmeans", "gbt"), (100.0,), repeats=1):
        found.add(run)
    return found


def body(store: RunStore, **told: Any) -> dict[str, Any]:
    return training_body(OldTraining(**told), store)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"model_name": "nightly", "experiment_name": "runs of May"}, "nightly"),
        ({"model_name": " ", "experiment_name": "runs of May"}, "runs of May"),
        ({"model_name": None, "experiment_name": "runs of May"}, "runs of May"),
    ],
)
def test_the_version_is_described_by_the_model_s_name_else_by_the_experiment_s(
    store: RunStore, told: dict[str, Any], name: str
) -> None:
    assert body(store, **told) == {"name": name}


def test_what_is_not_told_is_not_asked_for(store: RunStore) -> None:
    assert body(store) == {}
    assert body(store, system_name="", algorithm_name="", model_name="", experiment_name="") == {}


def test_a_system_with_runs_is_learned_from_alone(store: RunStore) -> None:
    assert body(store, system_name="Spark", algorithm_name="kmeans") == {"system": "spark", "algorithm": "kmeans"}


def test_a_system_without_runs_is_refused_with_those_that_have_some(store: RunStore) -> None:
    with pytest.raises(Invalid, match="no run of flink with stages is recorded, only of spark"):
        body(store, system_name="flink")


def test_a_system_that_nobody_knows_is_refused_with_those_that_there_are(store: RunStore) -> None:
    with pytest.raises(Invalid, match="none of spark, flink"):
        body(store, system_name="hadoop")


def test_a_system_with_too_few_runs_is_refused_before_it_is_queued(store: RunStore) -> None:
    (run,) = made_runs(("kmeans",), (400.0,), repeats=1)[:1]
    store.add(replace(run, context=replace(run.context, system="flink")))
    with pytest.raises(Invalid, match="needs at least"):
        body(store, system_name="flink")
