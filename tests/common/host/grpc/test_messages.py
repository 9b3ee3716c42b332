import struct
from typing import Any

import orjson
import pytest

from common.errors import Invalid
from common.host.grpc import open_inference_pb2 as pb
from common.host.grpc.messages import body_of, infer_response, metadata_response
from common.serving.oip.datatypes import DATATYPES
from common.serving.oip.reading import read_request

FIELDS: dict[str, tuple[str, list[Any]]] = {
    "BOOL": ("bool_contents", [True, False]),
    "INT8": ("int_contents", [-1, 2]),
    "INT16": ("int_contents", [-1, 2]),
    "INT32": ("int_contents", [-1, 2]),
    "INT64": ("int64_contents", [-1, 2]),
    "UINT8": ("uint_contents", [1, 255]),
    "UINT16": ("uint_contents", [1, 2]),
    "UINT32": ("uint_contents", [1, 2]),
    "UINT64": ("uint64_contents", [1, 2**64 - 1]),
    "FP32": ("fp32_contents", [0.5, -2.0]),
    "FP64": ("fp64_contents", [0.1, -2.0]),
    "BYTES": ("bytes_contents", [b"a", b"\xff\0"]),
}


def request(datatype: str, field: str, values: list[Any], **more: Any) -> Any:
    made = pb.ModelInferRequest(model_name="m", **more)
    tensor = made.inputs.add(name="X", datatype=datatype, shape=[len(values)])
    getattr(tensor.contents, field).extend(values)
    return made


def read(made: Any) -> Any:
    body, length = body_of(made)
    return read_request(body, str(length).encode())


@pytest.mark.parametrize("datatype", FIELDS)
def test_contents_of_each_datatype_are_read_and_written(datatype: str) -> None:
    field, values = FIELDS[datatype]
    made = request(datatype, field, values, id="7", parameters={"a": pb.InferParameter(double_param=0.5)})
    found = read(made)
    assert found.inputs["X"].tolist() == values
    assert (found.id, found.is_binary, found.parameters["a"]) == ("7", True, 0.5)
    data = body_of(made)[0][body_of(made)[1] :]
    head = {"model_name": "m", "model_version": "2", "id": "7"}
    parameters = {"binary_data_size": len(data)}
    head |= {"outputs": [{"name": "Y", "datatype": datatype, "shape": [2], "parameters": parameters}]}  # type: ignore[dict-item]  # of JSON
    text = orjson.dumps(head)
    answer = infer_response(text + data, len(text), is_raw=False)
    assert list(getattr(answer.outputs[0].contents, field)) == values
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "2", "7")
    assert infer_response(text + data, len(text), is_raw=True).raw_output_contents == [data]


def test_raw_contents_are_passed_on_as_they_are() -> None:
    made = pb.ModelInferRequest(model_name="m", raw_input_contents=[struct.pack("<2e", 0.5, 2.0), b"\0\1"])
    made.inputs.add(name="A", datatype="FP16", shape=[2])
    made.inputs.add(name="B", datatype="BOOL", shape=[2])
    made.outputs.add(name="Y", parameters={"classification": pb.InferParameter(int64_param=0)})
    found = read(made)
    assert {name: array.tolist() for name, array in found.inputs.items()} == {"A": [0.5, 2.0], "B": [False, True]}
    assert found.outputs == {"Y": True}


def test_outputs_without_a_field_of_their_datatype_are_raw_whatever_was_asked() -> None:
    text = orjson.dumps(
        {
            "model_name": "m",
            "outputs": [{"name": "Y", "datatype": "BF16", "shape": [1], "parameters": {"binary_data_size": 2}}],
        }
    )
    assert infer_response(text + b"ab", len(text), is_raw=False).raw_output_contents == [b"ab"]


def test_metadata_are_told() -> None:
    tensor = {"name": "X", "datatype": "FP32", "shape": [-1, 4]}
    found = metadata_response({"name": "m", "platform": "p", "versions": ["1"], "inputs": [tensor], "outputs": []})
    assert (found.name, found.platform, list(found.versions)) == ("m", "p", ["1"])
    assert (found.inputs[0].name, list(found.inputs[0].shape)) == ("X", [-1, 4])


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (request("FP32", "fp64_contents", [1.0]), "FP32 goes into fp32_contents"),
        (request("FP16", "fp32_contents", [1.0]), "raw_input_contents alone"),
        (request("FP33", "fp32_contents", [1.0]), "datatype is one of"),
        (request("INT8", "int_contents", [300]), "range of INT8"),
        (request("UINT16", "uint_contents", [70_000]), "range of UINT16"),
        (request("FP32", "fp32_contents", [1.0], raw_input_contents=[b"abcd"]), "in one way"),
        (request("FP32", "fp32_contents", [1.0], raw_input_contents=[b"abcd", b""]), "2 entries for 1 inputs"),
    ],
)
def test_contents_in_the_wrong_place_are_refused(made: Any, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        body_of(made)


def test_every_datatype_has_a_field_or_is_raw_only() -> None:
    assert set(DATATYPES) - set(FIELDS) == {"FP16", "BF16"}
