import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import AtollError, BadRequest, Invalid
from common.serving.oip.reading import read_request
from tests.common.serving.oip.asking import LENGTH, binary, tensor

X = tensor("X", "FP32", [1, 2], [1.5, 2])


def read(document: object, *parts: bytes, length: bytes | None = None) -> Any:
    body = json.dumps(document).encode()
    if parts and length is None:
        length = str(len(body)).encode()
    return read_request(b"".join((body, *parts)), length)


def test_a_request_is_read_with_its_id_parameters_and_outputs() -> None:
    found = read({"id": "a", "parameters": {"p": 1}, "inputs": [X], "outputs": [{"name": "Y"}], "unknown": 1})
    assert (found.id, found.parameters, found.outputs, found.is_binary) == ("a", {"p": 1}, {"Y": False}, False)
    assert found.inputs["X"].tolist() == [[1.5, 2.0]]
    assert found.datatypes == {"X": "FP32"}


def test_binary_inputs_follow_the_json_in_their_order() -> None:
    a, b = np.array([1.5], "<f8"), np.array([7, 8], "<i2")
    document = {
        "inputs": [
            tensor("A", "FP64", [1], parameters={"binary_data_size": 8}),
            tensor("J", "BOOL", [1], [True]),
            tensor("B", "INT16", [2, 1], parameters={"binary_data_size": 4}),
        ]
    }
    found = read(document, a.tobytes(), b.tobytes())
    assert {name: array.tolist() for name, array in found.inputs.items()} == {
        "A": [1.5],
        "J": [True],
        "B": [[7], [8]],
    }


@pytest.mark.parametrize(
    ("more", "outputs", "expected"),
    [
        ({}, [{"name": "Y"}], {"Y": False}),
        ({"binary_data_output": True}, [{"name": "Y"}], {"Y": True}),
        (
            {"binary_data_output": True},
            [{"name": "Y", "parameters": {"binary_data": False}}, {"name": "Z"}],
            {"Y": False, "Z": True},
        ),
        ({}, [{"name": "Y", "parameters": {"binary_data": True}}], {"Y": True}),
        ({}, [], None),
    ],
)
def test_an_output_is_binary_where_it_or_the_request_says_so(
    more: dict[str, Any], outputs: list[dict[str, Any]], expected: dict[str, bool] | None
) -> None:
    assert read({"inputs": [X], "parameters": more, "outputs": outputs}).outputs == expected


@pytest.mark.parametrize("length", [b"0", b"-1", b"abc", b"", b"1e3", b"99999999999999999999999", b"1000000"])
def test_a_length_of_the_json_that_cannot_be_is_refused(length: bytes) -> None:
    with pytest.raises(BadRequest, match="Inference-Header-Content-Length"):
        read({"inputs": [X]}, length=length)


def test_a_length_that_cuts_the_json_is_refused() -> None:
    with pytest.raises(BadRequest, match="no JSON"):
        read({"inputs": [X]}, length=b"10")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 5000])
def test_a_body_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="no JSON"):
        read_request(data)


def test_truncated_binary_data_are_refused_with_how_much_is_missing() -> None:
    document = {"inputs": [tensor("X", "FP32", [2], parameters={"binary_data_size": 8})]}
    with pytest.raises(BadRequest, match="8 bytes of binary data are announced and 5 are there"):
        read(document, b"12345")


def test_bytes_that_belong_to_no_input_are_refused() -> None:
    document = {"inputs": [tensor("X", "FP32", [1], parameters={"binary_data_size": 4})]}
    with pytest.raises(BadRequest, match="2 bytes follow"):
        read(document, b"123456")
    with pytest.raises(BadRequest, match="2 bytes follow"):
        read({"inputs": [X]}, b"12")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "JSON object"),
        ({}, "list of tensors"),
        ({"inputs": []}, "list of tensors"),
        ({"inputs": {"X": 1}}, "list of tensors"),
        ({"inputs": [1]}, "name, shape, datatype"),
        ({"inputs": [{}]}, "each has a name"),
        ({"inputs": [tensor("", "FP32", [1], [1])]}, "each has a name"),
        ({"inputs": [tensor("X" * 201, "FP32", [1], [1])]}, "at most 200"),
        ({"inputs": [X, X]}, "twice"),
        ({"inputs": [tensor("X", "FP31", [1], [1])]}, "datatype is one of BOOL"),
        ({"inputs": [{"name": "X", "shape": [1], "data": [1]}]}, "datatype is one of"),
        ({"inputs": [{"name": "X", "datatype": "FP32", "data": [1]}]}, "shape is a list"),
        ({"inputs": [tensor("X", "FP32", [-1], [1])]}, "shape is a list"),
        ({"inputs": [tensor("X", "FP32", [1])]}, "has no data"),
        ({"inputs": [tensor("X", "FP32", [1], [1], parameters=3)]}, "parameters is an object"),
        ({"inputs": [tensor("X", "FP32", [1], [1], parameters={"binary_data_size": 4})]}, "send one of them"),
        ({"inputs": [tensor("X", "FP32", [1], parameters={"binary_data_size": -4})]}, "number of bytes"),
        ({"inputs": [tensor("X", "FP32", [1], parameters={"binary_data_size": "4"})]}, "number of bytes"),
        ({"inputs": [tensor("X", "FP32", [1], parameters={"shared_memory_region": "r"})]}, "shared memory"),
        ({"inputs": [X], "id": 3}, "id: is a text"),
        ({"inputs": [X], "parameters": []}, "parameters"),
        ({"inputs": [X], "parameters": {"binary_data_output": 1}}, "binary_data_output: is true or false"),
        ({"inputs": [X], "outputs": {"name": "Y"}}, "outputs"),
        ({"inputs": [X], "outputs": [{"nom": "Y"}]}, "with a name"),
        ({"inputs": [X], "outputs": [{"name": "Y", "parameters": {"classification": 3}}]}, "classification"),
        ({"inputs": [X], "outputs": [{"name": "Y", "parameters": {"shared_memory_region": "r"}}]}, "shared memory"),
        ({"inputs": [X], "outputs": [{"name": "Y", "parameters": 1}]}, "parameters"),
    ],
)
def test_what_is_wrong_is_refused_with_what_to_send(document: object, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["X", "Y", ""]) | JSON,
        "shape": st.lists(st.integers(-2, 2**63 - 1), max_size=4) | JSON,
        "datatype": st.sampled_from(["FP32", "INT8", "BOOL", "BYTES", "BF16"]) | JSON,
        "data": st.lists(st.integers() | st.floats(allow_nan=False) | st.text(max_size=3), max_size=6) | JSON,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 40)}) | JSON,
    },
)


@given(
    document=st.fixed_dictionaries(
        {}, optional={"inputs": st.lists(TENSOR, max_size=3) | JSON, "outputs": JSON, "parameters": JSON, "id": JSON}
    ),
    rest=st.binary(max_size=50),
)
def test_whatever_is_sent_is_read_or_refused_as_the_callers_mistake(document: dict[str, Any], rest: bytes) -> None:
    body, headers = binary(document, rest)
    told: AtollError | None = None
    try:
        found = read_request(body, headers[LENGTH].encode())
    except AtollError as error:
        told = error
    if told is not None:
        assert told.status in (400, 422)
        assert told.detail
    else:
        assert set(found.inputs) == set(found.datatypes) != set()
