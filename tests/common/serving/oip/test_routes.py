from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from common.security.scopes import Scope
from tests.common.serving.oip.asking import PLUGINS, tensor
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

BROKEN = """
    from fastapi import APIRouter
    from common.plugins import Plugin

    router = APIRouter()

    @router.post("/predict")
    async def predict(body: dict[str, int]) -> str:
        return ""

    def load() -> None:
        raise RuntimeError("no data")

    plugin = Plugin(load=load)
"""
LOADS = """
    from fastapi import APIRouter
    from common.plugins import BaseDefinition, Plugin, param

    router = APIRouter()

    class Question(BaseDefinition):
        x: int = param(title="x")

    @router.post("/predict")
    async def predict(body: Question) -> int:
        return body.x

    def load() -> None:
        raise RuntimeError("no data")

    plugin = Plugin(load=load)
"""


def test_the_server_tells_its_name_version_and_extensions(client: Client) -> None:
    found = client.get("/v2").json()
    assert found["name"] == "atoll"
    assert "binary_tensor_data" in found["extensions"]


def test_health_is_told_as_the_protocols_clients_read_it(client: Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    client.app.state.runtime.start()  # type: ignore[attr-defined]  # an ASGI app has none
    client.app.state.runtime.wait_until_loaded(60)  # type: ignore[attr-defined]  # as above
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_a_model_that_cannot_load_is_not_ready_and_says_why(tmp_path: Path) -> None:
    app = make_app(tmp_path / "state", path=(write_plugin(tmp_path, "broken", LOADS),), serve=("broken",))
    app.state.runtime.start()
    app.state.runtime.wait_until_loaded(60)
    client = Client(app)
    assert_problem(client.get("/v2/models/broken/ready"), 503, told="no data")
    assert client.get("/v2/health/ready").json()["ready"] is False
    (entry,) = client.post("/v2/repository/index").json()
    assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "RuntimeError: no data")
    body = {"inputs": [tensor("x", "INT64", [1], [1])]}
    assert_problem(client.post("/v2/models/broken/infer", json=body), 503, told="no data")


def test_a_predict_without_a_definition_makes_no_model(tmp_path: Path) -> None:
    app = make_app(tmp_path / "state", path=(write_plugin(tmp_path, "untyped", BROKEN),), serve=("untyped",))
    assert Client(app).get("/v2/models").json() == {"models": []}


def test_types_without_a_json_schema_make_no_model_and_take_nothing_else_down(tmp_path: Path) -> None:
    source = """
        from collections.abc import Callable
        from fastapi import APIRouter
        from common.plugins import BaseDefinition, param

        router = APIRouter()

        class Question(BaseDefinition):
            x: Callable[[], int] = param(title="x")

        @router.post("/predict")
        async def predict(body: Question) -> int:
            return 0
    """
    app = make_app(tmp_path / "state", path=(write_plugin(tmp_path, "odd", source),), serve=("odd", "sample"))
    assert Client(app).get("/v2/models").json() == {"models": ["sample"]}


def test_all_models_are_listed_by_name(client: Client) -> None:
    names = client.get("/v2/models").json()["models"]
    assert names == sorted(names)
    assert {"housing", "linear", "sample", "sentiment"} <= set(names)
    # The plugin whose models these are is none itself.
    assert "tensors" not in names
    entries = client.post("/v2/repository/index", content=b"").json()
    assert [entry["name"] for entry in entries] == names


def test_metadata_of_a_version_are_those_of_its_model(client: Client) -> None:
    found = client.get("/v2/models/linear/versions/2").json()
    assert found == {
        "name": "linear",
        "versions": ["1", "2"],
        "platform": "test",
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, 3]},
        ],
    }


@pytest.mark.parametrize("path", ["linear", "linear/versions/1", "linear/versions/candidate", "sample"])
def test_a_model_that_may_be_asked_is_ready(client: Client, path: str) -> None:
    answer = client.get(f"/v2/models/{path}/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "nope",
        "nope/ready",
        "linear/versions/9",
        "linear/versions/9/ready",
        "sample/versions/1/ready",
        "sample/versions/1",
    ],
)
def test_what_is_not_there_is_answered_404(client: Client, path: str) -> None:
    assert_problem(client.get(f"/v2/models/{path}"), 404)


# --- who may ask -----------------------------------------------------------------------------------------------------

X: dict[str, Any] = {"inputs": [tensor("X", "INT8", [1, 1], [5])]}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return closed_app(tmp_path_factory.mktemp("closed"), path=(PLUGINS,), serve=("tensors", "sample"))


def test_a_version_that_is_not_there_is_told_with_those_that_are(client: Client) -> None:
    answer = client.post("/v2/models/linear/versions/9/infer", json={"inputs": []})
    assert_problem(answer, 404, told="there are 1 and 2")
    assert_problem(client.get("/v2/models/nope"), 404, told="GET /v2/models lists those that there are")


def test_a_key_is_needed_to_infer_and_none_for_health(closed: FastAPI) -> None:
    client = Client(closed)
    assert_problem(client.post("/v2/models/echo-int8/infer", json=X), 401)
    assert client.get("/v2/health/live").status_code == 200
    key = bearer(make_key(closed, Scope.PREDICT))
    assert client.post("/v2/models/echo-int8/infer", json=X, headers=key).status_code == 200
    assert_problem(
        client.post("/v2/models/echo-int8/infer", json=X, headers=bearer(make_key(closed, Scope.TRAIN))), 403
    )


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        (["sample"], {"sample"}),
        # Who may use a plugin may use the models that it names.
        (["tensors"], {"echo-int8", "linear"}),
    ],
)
def test_a_key_for_some_models_asks_lists_and_sees_these_alone(
    closed: FastAPI, models: list[str], allowed: set[str]
) -> None:
    client, key = Client(closed), bearer(make_key(closed, Scope.PREDICT, models=models))
    asked = {"sample", "echo-int8", "linear", "nope"}
    met = {
        name: {
            client.get(f"/v2/models/{name}", headers=key).status_code,
            client.get(f"/v2/models/{name}/ready", headers=key).status_code,
        }
        for name in asked
    }
    may = {name for name, statuses in met.items() if statuses == {200}}
    assert may == allowed
    refused = {client.post(f"/v2/models/{name}/infer", json=X, headers=key).status_code for name in asked - allowed}
    assert refused <= {403, 404}
    assert set(client.get("/v2/models", headers=key).json()["models"]) & asked == allowed


def test_a_route_that_asks_for_more_than_predict_is_closed_by_tensors_too(tmp_path: Path) -> None:
    source = """
        from fastapi import APIRouter
        from common.plugins import BaseDefinition, Plugin, param

        router = APIRouter()

        class Question(BaseDefinition):
            x: int = param(title="x")

        @router.post("/predict")
        async def predict(body: Question) -> int:
            return body.x

        plugin = Plugin(scopes={"POST /predict": "train"})
    """
    app = closed_app(tmp_path / "state", path=(write_plugin(tmp_path, "dear", source),), serve=("dear",))
    client, body = Client(app), {"inputs": [tensor("x", "INT64", [1], [3])]}
    refused = client.post("/v2/models/dear/infer", json=body, headers=bearer(make_key(app, Scope.PREDICT)))
    assert_problem(refused, 403, told="`train`")
    both = bearer(make_key(app, Scope.PREDICT, Scope.TRAIN))
    assert client.post("/v2/models/dear/infer", json=body, headers=both).json()["outputs"][0]["data"] == [3]
    opened = closed_app(tmp_path / "open", path=(tmp_path,), serve=("dear",), anonymous=frozenset({Scope.PREDICT}))
    assert_problem(Client(opened).post("/v2/models/dear/infer", json=body), 401)
