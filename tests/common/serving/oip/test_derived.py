import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.common.serving.oip.asking import tensor
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

HOUSE = {
    "MedInc": 8.3252,
    "HouseAge": 41.0,
    "AveRooms": 6.98,
    "AveBedrms": 1.02,
    "Population": 322.0,
    "AveOccup": 2.56,
    "Latitude": 37.88,
    "Longitude": -122.23,
}
# A model that is looked at before it is asked, takes versions, and answers no JSON at times.
LONG = """
    from fastapi import APIRouter, Depends
    from fastapi.responses import PlainTextResponse, Response
    from common.errors import Unavailable
    from common.plugins import BaseDefinition, Plugin, param

    router = APIRouter()
    calls = []

    class Work(BaseDefinition):
        seconds: float = param(title="Seconds")

    @router.post("/predict")
    async def predict(body: Work, version: str = "1") -> dict[str, float]:
        calls.append(body.seconds)
        if body.seconds == 13:
            raise Unavailable("not on a Friday", retry_after_s=7)
        return Response(b'{"took": %f}' % body.seconds, headers={"X-Model-Version": version})

    @router.get("/calls")
    async def called() -> list[float]:
        return calls

    plugin = Plugin(estimate=lambda body: body.seconds)
"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder: Path = tmp_path_factory.mktemp("long")
    return Client(make_app(folder / "state", path=(write_plugin(folder, "long", LONG),), serve=("long",)))


def houses(*more: dict[str, float]) -> list[dict[str, Any]]:
    rows = [HOUSE | changes for changes in more]
    return [tensor(name, "FP64", [len(rows)], [row[name] for row in rows]) for name in HOUSE]


def infer(client: Client, model: str, inputs: list[dict[str, Any]], **more: Any) -> httpx.Response:
    return client.post(f"/v2/models/{model}/infer", json={"inputs": inputs, **more})


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


def test_each_row_is_answered_as_by_the_route(client: Client) -> None:
    changes: list[dict[str, float]] = [{}, {"MedInc": 1.5}, {"HouseAge": 3.0}]
    found = outputs(infer(client, "housing", houses(*changes)))
    direct = [client.post("/housing/predict", json=HOUSE | change).json()["prediction"] for change in changes]
    assert found == {"prediction": direct}


def test_query_parameters_of_the_route_are_parameters_of_the_request(client: Client) -> None:
    found = outputs(infer(client, "housing", houses({}, {"MedInc": 2.0}), parameters={"interval": True}))
    direct = client.post("/housing/predict?interval=true", json=HOUSE).json()
    assert set(found) == {"prediction", "lower", "upper"}
    assert [found[name][0] for name in ("prediction", "lower", "upper")] == [
        direct["prediction"],
        direct["lower"],
        direct["upper"],
    ]


def test_items_are_one_request(client: Client) -> None:
    texts = ["I love it", "bad film"]
    answer = infer(client, "sentiment", [tensor("text", "BYTES", [2], texts)])
    direct = client.post("/sentiment/predict", json={"text": texts})
    assert [json.loads(item) for item in outputs(answer)["predictions"]] == direct.json()["predictions"]
    assert answer.headers["x-model-version"] == direct.headers["x-model-version"]


def test_metadata_tells_columns_and_which_may_be_left_out(client: Client) -> None:
    assert client.get("/v2/models/sample").json() == {
        "name": "sample",
        "platform": "atoll_plugin",
        "inputs": [
            {"name": "requiredField", "datatype": "BYTES", "shape": [-1]},
            {"name": "optionalField", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
        ],
        "outputs": [{"name": "resp1", "datatype": "BYTES", "shape": [-1]}],
    }


def test_a_wrong_row_is_named(client: Client) -> None:
    problem = assert_problem(infer(client, "housing", houses({}, {"Latitude": 95.0})), 422)
    assert problem["error"] == "row 1: Latitude: Invalid value for Latitude"


def test_nan_is_refused_where_the_route_refuses_it(client: Client) -> None:
    inputs = houses({})
    inputs[0] |= {"datatype": "BF16", "parameters": {"binary_data_size": 2}}
    del inputs[0]["data"]
    head = json.dumps({"inputs": inputs}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = client.post("/v2/models/housing/infer", content=head + b"\xc0\x7f", headers=headers)
    assert_problem(answer, 422, told="MedInc")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([tensor("requiredField", "BYTES", [0], [])], "no rows"),
        ([tensor("optionalField", "BYTES", [1], ["a"])], "requiredField: is missing"),
        ([tensor("requiredField", "INT64", [1], [1])], "INT64; send BYTES"),
        ([tensor("required", "BYTES", [1], ["a"])], "is no input; there are requiredField"),
        ([tensor("requiredField", "BYTES", [2, 2], ["a"] * 4)], "send [rows]"),
    ],
)
def test_what_is_no_row_is_refused(client: Client, inputs: list[dict[str, Any]], told: str) -> None:
    assert_problem(infer(client, "sample", inputs), 422, told=told)


def test_more_rows_than_a_request_may_hold_are_refused(client: Client) -> None:
    inputs = [tensor("requiredField", "BYTES", [1001], ["a"] * 1001)]
    most = client.app.state.runtime.settings.serving.max_items  # type: ignore[attr-defined]  # an ASGI app has none
    inputs = [tensor("requiredField", "BYTES", [most + 1], ["a"] * (most + 1))]
    assert_problem(infer(client, "sample", inputs), 413, told=f"at most {most}")


def test_an_error_of_the_route_is_the_answers(long: Client) -> None:
    answer = infer(long, "long", [tensor("seconds", "FP64", [1], [13])])
    assert_problem(answer, 503, told="not on a Friday")
    assert answer.headers["retry-after"] == "7"


def test_what_would_take_too_long_is_refused_before_it_begins(long: Client) -> None:
    answer = infer(long, "long", [tensor("seconds", "FP64", [2], [300, 400])])
    assert_problem(answer, 422, told="this takes about 700 s")
    assert "Prefer: respond-async" in answer.json()["error"]
    assert 300 not in long.get("/long/calls").json()


def test_a_row_beyond_what_the_route_takes_is_refused(tmp_path: Path) -> None:
    source = """
        from fastapi import APIRouter
        from common.plugins import BaseDefinition, Plugin, param

        router = APIRouter()

        class Question(BaseDefinition):
            text: str = param(title="Text")

        @router.post("/predict")
        async def predict(body: Question) -> int:
            return len(body.text)

        plugin = Plugin(max_body_bytes=40)
    """
    client = Client(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "small", source),), serve=("small",)))
    assert outputs(infer(client, "small", [tensor("text", "BYTES", [2], ["a", "b" * 20])])) == {"output": [1, 20]}
    answer = infer(client, "small", [tensor("text", "BYTES", [2], ["a", "b" * 40])])
    assert_problem(answer, 413, told="at most 40")


def test_a_version_goes_to_the_route_that_takes_one(long: Client) -> None:
    body = {"inputs": [tensor("seconds", "INT32", [1], [1])]}
    answer = long.post("/v2/models/long/versions/7/infer", json=body)
    assert outputs(answer) == {"output": ['{"took":1.0}']}
    assert answer.headers["x-model-version"] == "7"


def test_nothing_is_queued_though_the_caller_prefers_it(client: Client) -> None:
    body = {"inputs": [tensor("requiredField", "BYTES", [1], ["a"])]}
    answer = client.post("/v2/models/sample/infer", json=body, headers={"Prefer": "respond-async"})
    assert outputs(answer) == {"resp1": ["Hello a"]}


def test_a_cached_row_is_answered_anew_where_the_caller_asks_for_it(client: Client) -> None:
    for _ in range(2):
        answer = client.post(
            "/v2/models/housing/infer", json={"inputs": houses({})}, headers={"Cache-Control": "no-cache"}
        )
        assert outputs(answer)["prediction"]
