"""What gRPC's messages are over HTTP: JSON followed by binary tensor data. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from common.errors import Invalid
from common.host.grpc import open_inference_pb2 as pb
from common.serving.oip.datatypes import DATATYPES, to_binary

# Field of `InferTensorContents` by datatype; FP16 and BF16 have none.
_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def body_of(request: Any) -> tuple[bytes, int]:
    """The body of `…/infer` for a `ModelInferRequest`, and the length of its JSON.

    Raises
    ------
    Invalid
        Raw contents are not one for each input, or a tensor's contents stand in a field of another datatype.
    """
    raw: Sequence[bytes] = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise Invalid(f"raw_input_contents has {len(raw)} entries for {len(request.inputs)} inputs; send one for each")
    if raw and any(tensor.HasField("contents") for tensor in request.inputs):
        raise Invalid("inputs have raw_input_contents and contents; send all of them in one way")
    parts = list(raw) if raw else [_contents(tensor) for tensor in request.inputs]
    document: dict[str, Any] = {
        "inputs": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": tensor.datatype,
                "parameters": _parameters(tensor.parameters) | {"binary_data_size": len(part)},
            }
            for tensor, part in zip(request.inputs, parts, strict=True)
        ],
        "parameters": _parameters(request.parameters) | {"binary_data_output": True},
    }
    if request.id:
        document["id"] = request.id
    if request.outputs:
        document["outputs"] = [
            {"name": output.name, "parameters": _parameters(output.parameters) | {"binary_data": True}}
            for output in request.outputs
        ]
    head = orjson.dumps(document)
    return b"".join((head, *parts)), len(head)


def _contents(tensor: Any) -> bytes:
    name, datatype = tensor.name[:200], DATATYPES.get(tensor.datatype)
    if datatype is None:
        raise Invalid.field(name, f"datatype is one of {', '.join(DATATYPES)}", tensor.datatype, where="inputs")
    wanted = _FIELDS.get(datatype.name)
    if wanted is None:
        raise Invalid.field(name, f"{datatype.name} goes into raw_input_contents alone", where="inputs")
    if any(field.name != wanted for field, _ in tensor.contents.ListFields()):
        raise Invalid.field(name, f"{datatype.name} goes into {wanted}", where="inputs")
    values = list(getattr(tensor.contents, wanted))
    if datatype.kind == "O":
        array = np.empty(len(values), object)
        array[:] = values
        return to_binary(datatype, array)
    try:
        return np.array(values, datatype.dtype).tobytes()
    except OverflowError:
        raise Invalid.field(name, f"a number is beyond the range of {datatype.name}", where="inputs") from None


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        kind = value.WhichOneof("parameter_choice")
        if kind is not None:
            found[name] = getattr(value, kind)
    return found


def infer_response(body: bytes, json_length: int | None, *, is_raw: bool) -> Any:
    """The `ModelInferResponse` for an answer of `…/infer` with binary data.

    Parameters
    ----------
    is_raw : outputs as raw contents; else by datatype, unless one of them has none but raw ones.
    """
    length = len(body) if json_length is None else json_length
    document, rest = orjson.loads(body[:length]), memoryview(body)[length:]
    response = pb.ModelInferResponse(
        model_name=document["model_name"], model_version=document.get("model_version", ""), id=document.get("id", "")
    )
    is_raw = is_raw or any(output["datatype"] not in _FIELDS for output in document["outputs"])
    place = 0
    for output in document["outputs"]:
        size = output["parameters"]["binary_data_size"]
        part = rest[place : place + size]
        place += size
        tensor = response.outputs.add(name=output["name"], datatype=output["datatype"], shape=output["shape"])
        if is_raw:
            response.raw_output_contents.append(bytes(part))
        else:
            getattr(tensor.contents, _FIELDS[output["datatype"]]).extend(_elements(output["datatype"], part))
    return response


def _elements(name: str, part: memoryview) -> Iterable[Any]:
    datatype = DATATYPES[name]
    if datatype.kind != "O":
        found: list[Any] = np.frombuffer(part, datatype.dtype).tolist()
        return found
    elements, place = [], 0
    while place < len(part):
        end = place + 4 + int.from_bytes(part[place : place + 4], "little")
        elements.append(bytes(part[place + 4 : end]))
        place = end
    return elements


def metadata_response(document: Mapping[str, Any]) -> Any:
    """The `ModelMetadataResponse` for what `GET /v2/models/{model}` answers."""
    return pb.ModelMetadataResponse(
        name=document["name"],
        versions=document.get("versions", ()),
        platform=document["platform"],
        inputs=map(_tensor_metadata, document["inputs"]),
        outputs=map(_tensor_metadata, document["outputs"]),
    )


def _tensor_metadata(tensor: Mapping[str, Any]) -> Any:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"]
    )
