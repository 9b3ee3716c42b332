"""Models are loaded before they are asked for, under every address that old clients use."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.registry.held import Held
from models.scaleout import serving
from models.scaleout.artefact import FILES, pack
from models.scaleout.serving import serve_version
from models.scaleout.system import system_for
from tests.models.scaleout.graph.synthetic import begun, made_run, made_runs
from tests.models.scaleout.graph.untrained import untrained
from tests.support.clients import Client
from tests.support.plugins import make_app

# Whole addresses: a path that begins with two slashes would be taken for a host.
ADDRESSES = [
    "http://localhost/preload/",
    "http://localhost//preload/",
    "http://localhost/preload//",
    "http://localhost//preload//",
    "http://localhost/prediction/preload/",
    "http://localhost//prediction/preload/",
    "http://localhost/prediction//preload/",
    "http://localhost/prediction/preload//",
]


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return make_app(tmp_path / "state", serve=("scaleout",))


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def graph(client: Client, tmp_path: Path) -> Iterator[None]:
    """A graph model serves as version 3."""
    # The first request looks which version serves, and finds none.
    assert client.get("/preload/kmeans").json()["graph"] is None
    for name, content in pack(untrained()).items():
        (tmp_path / name).write_bytes(content)
    digests = {name: sha256((tmp_path / name).read_bytes()).hexdigest() for name in FILES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_served", None)
        serve_version(Held(3, tmp_path, digests, lambda name: tmp_path / name))
        yield


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_model_is_preloaded_wherever_the_slash_is_doubled(client: Client, address: str) -> None:
    answer = client.get(f"{address}gbt")
    assert answer.status_code == 200
    assert answer.json() == {"base_name": "gbt", "generation": 1, "runs": 0, "models": [], "graph": None}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_nobody_knows_is_answered_in_the_old_shape_with_those_that_are_known(
    client: Client, address: str
) -> None:
    answer = client.get(f"{address}sort")
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "no model 'sort' is known; those that are: gbt, kmeans, logisticregression, mpc"},
    )


def test_two_slashes_open_no_other_address(client: Client) -> None:
    for path in ("//scaleout/applications", "//prediction/online_scale_out_prediction", "//health/live"):
        assert client.get(f"http://localhost{path}").status_code == 404


@pytest.mark.usefixtures("graph")
def test_the_version_of_the_graph_model_that_serves_is_told(client: Client) -> None:
    assert client.get("/preload/kmeans").json()["graph"] == "3"


@pytest.mark.usefixtures("graph")
def test_what_the_graph_model_looks_up_of_past_runs_is_there_before_the_first_plan(
    app: FastAPI, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = system_for(app.state.runtime)
    for run in made_runs(("kmeans",)):
        system.store.add(run)
    assert client.get("/preload/kmeans").json()["runs"] == 24
    now = begun(made_run("kmeans", 300.0, 2, seed=9), 2)
    system.store.add(replace(now, max_scale_out=4, target_s=60.0))

    def fail(*_: object) -> None:
        raise AssertionError("looked up again")

    monkeypatch.setattr("models.scaleout.graph.history.History.__init__", fail)
    plan = system.planner.plan(now.execution_id)
    assert plan is not None
    assert plan["model"] == "graph, corrected on this run"
