import asyncio
import struct
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.types import Message

from common.serving.oip.datatypes import DATATYPES, to_binary
from tests.common.serving.oip.asking import LENGTH, PLUGINS, binary, split, tensor
from tests.support.clients import Client, connected, until
from tests.support.plugins import make_app
from tests.support.problems import assert_problem

SAMPLES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "FP16": [0.5, -2.0],
    "FP32": [0.5, -2.0],
    "FP64": [0.1, -2.0],
    "BF16": [0.5, -2.0],
    "BYTES": ["a", "é"],
}


def ask(client: Client, model: str, document: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post(f"/v2/models/{model}/infer", json=document, **more)


def linear(rows: int = 1, **more: Any) -> dict[str, Any]:
    return {"inputs": [tensor("X", "FP32", [rows, 4], [1.0, 3.0, 2.0, 0.0] * rows)], **more}


@pytest.mark.parametrize("name", DATATYPES)
def test_a_tensor_of_each_datatype_goes_through_by_json(client: Client, name: str) -> None:
    data = SAMPLES.get(name, [1, 2])
    answer = ask(client, f"echo-{name.lower()}", {"inputs": [tensor("X", name, [1, 2], data)]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"] == [{"name": "Y", "datatype": name, "shape": [1, 2], "data": data}]


@pytest.mark.parametrize("name", DATATYPES)
def test_a_tensor_of_each_datatype_goes_through_as_binary_data(client: Client, name: str) -> None:
    elements = [b"a", b"\xff\0"] if name == "BYTES" else SAMPLES.get(name, [1, 2])
    array = np.empty(2, object) if name == "BYTES" else np.array(elements, DATATYPES[name].dtype)
    array[:] = elements
    data = to_binary(DATATYPES[name], array)
    document = {
        "inputs": [tensor("X", name, [2, 1], parameters={"binary_data_size": len(data)})],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary(document, data)
    answer = client.post(f"/v2/models/echo-{name.lower()}/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    found, rest = split(answer)
    assert found["outputs"] == [
        {"name": "Y", "datatype": name, "shape": [2, 1], "parameters": {"binary_data_size": len(data)}}
    ]
    assert rest == data


def test_the_answer_names_model_version_and_the_callers_id(client: Client) -> None:
    answer = ask(client, "linear", linear(2, id="é"))
    assert answer.json() == {
        "model_name": "linear",
        "model_version": "1",
        "id": "é",
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 1]},
            {"name": "scores", "datatype": "FP32", "shape": [2, 3], "data": [1.0, 3.0, 2.0, 1.0, 3.0, 2.0]},
        ],
    }
    assert answer.headers["x-model-version"] == "1"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(("version", "number"), [("1", "1"), ("2", "2"), ("candidate", "2")])
def test_a_version_can_be_asked_by_number_or_alias(client: Client, version: str, number: str) -> None:
    answer = client.post(f"/v2/models/linear/versions/{version}/infer", json=linear())
    assert (answer.headers["x-model-version"], answer.json()["model_version"]) == (number, number)
    assert answer.json()["outputs"][1]["data"] == [float(number) * score for score in (1, 3, 2)]


def test_only_the_outputs_that_are_asked_for_are_given_each_as_it_is_wanted(client: Client) -> None:
    wanted = [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "label"}]
    found, rest = split(ask(client, "linear", linear(outputs=wanted)))
    assert [output["name"] for output in found["outputs"]] == ["scores", "label"]
    assert found["outputs"][1]["data"] == [1]
    assert np.frombuffer(rest, "<f4").tolist() == [1.0, 3.0, 2.0]


def test_nan_goes_in_and_out_as_binary_data_and_is_null_in_json(client: Client) -> None:
    data = np.array([np.nan, 1.0], "<f4").tobytes()
    document = {"inputs": [tensor("X", "FP32", [1, 2], parameters={"binary_data_size": 8})]}
    body, headers = binary(document, data)
    answer = client.post("/v2/models/echo-fp32/infer", content=body, headers=headers)
    assert answer.json()["outputs"][0]["data"] == [None, 1.0]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a missing input": ({"inputs": [tensor("Z", "FP32", [1, 4], [1, 2, 3, 4])]}, "X: is missing; the inputs are X"),
    "one too many": (
        {"inputs": [tensor("X", "FP32", [1, 4], [1, 2, 3, 4]), tensor("Z", "FP32", [1], [1])]},
        "Z: is no input",
    ),
    "another datatype": ({"inputs": [tensor("X", "FP64", [1, 4], [1, 2, 3, 4])]}, "is FP64; send FP32"),
    "another width": ({"inputs": [tensor("X", "FP32", [1, 3], [1, 2, 3])]}, "send [-1, 4]"),
    "another rank": ({"inputs": [tensor("X", "FP32", [4], [1, 2, 3, 4])]}, "send [-1, 4]"),
    "a ragged list": ({"inputs": [tensor("X", "FP32", [2, 4], [[1, 2, 3, 4], [1, 2]])]}, "ragged"),
    "too few elements": ({"inputs": [tensor("X", "FP32", [2, 4], [1, 2, 3, 4])]}, "takes 8"),
    "a negative size": ({"inputs": [tensor("X", "FP32", [-1, 4], [1, 2, 3, 4])]}, "shape is a list"),
    "a huge shape": ({"inputs": [tensor("X", "FP32", [2**40, 2**40], [1])]}, "takes"),
    "an unknown output": (linear(outputs=[{"name": "proba"}]), "there are label, scores"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_refused_with_error_and_what_to_send(client: Client, case: str) -> None:
    document, told = WRONG[case]
    answer = ask(client, "linear", document)
    problem = assert_problem(answer, 422)
    assert told in problem["error"]
    assert problem["error"] == problem["detail"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b'{"inputs": [{"name": "X", "shape": [1], "datatype": "FP32", "data": [NaN]}]}', {}, 400),
        (b'{"inputs": []}', {LENGTH: "1000"}, 400),
        (b'{"inputs": []}', {LENGTH: "x"}, 400),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(
    client: Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = client.post("/v2/models/linear/infer", content=content, headers=headers)
    assert assert_problem(answer, status)["error"]


def test_lengths_of_bytes_beyond_the_body_are_refused(client: Client) -> None:
    data = struct.pack("<I", 2**31) + b"abc"
    document = {"inputs": [tensor("X", "BYTES", [1, 1], parameters={"binary_data_size": len(data)})]}
    body, headers = binary(document, data)
    answer = client.post("/v2/models/echo-bytes/infer", content=body, headers=headers)
    assert "ends beyond" in assert_problem(answer, 422)["error"]


@pytest.mark.parametrize("path", ["nope", "linear/versions/9", "sample/versions/1"])
def test_a_model_or_version_that_is_not_there_is_answered_404(client: Client, path: str) -> None:
    assert_problem(client.post(f"/v2/models/{path}/infer", json=linear()), 404)


def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, path=(PLUGINS,), serve=("tensors",), max_body_bytes=1024))
    assert_problem(ask(client, "linear", linear(1000)), 413)


def test_a_body_may_come_in_pieces(app: FastAPI) -> None:
    async def pieces() -> Any:
        yield b'{"inputs": [{"name": "X", "shape": [1, 1], '
        yield b'"datatype": "INT8", "data": [5]}]}'

    async def run() -> httpx.Response:
        async with connected(app) as client:
            return await client.post("/v2/models/echo-int8/infer", content=pieces())

    assert asyncio.run(run()).json()["outputs"][0]["data"] == [5]


def test_an_inference_is_given_up_when_its_caller_goes_away(app: FastAPI) -> None:
    body = b'{"inputs": [{"name": "X", "shape": [1], "datatype": "BOOL", "data": [true]}]}'
    sent: list[Message] = []

    async def run() -> None:
        gone = asyncio.Event()
        given = False

        async def receive() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        path = "/v2/models/slow/infer"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"http_version": "1.1", "headers": [(b"host", b"localhost")], "scheme": "http", "root_path": ""}
        scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
        work = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0.01)
        gone.set()
        await until(work.done)

    before = Client(app).get("/tensors/given-up").json()
    asyncio.run(run())
    assert Client(app).get("/tensors/given-up").json() == before + 1
    assert sent[0]["status"] == 499
