"""An inference request from its bytes: JSON alone, or JSON followed by binary tensor data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from common.errors import BadRequest, Invalid
from common.serving.oip.datatypes import DATATYPES, checked_shape, from_binary, from_json
from common.serving.tensors import Array

HEADER_LENGTH = "Inference-Header-Content-Length"
_SHARED_MEMORY = "shared_memory_region"
_NAME_CHARS = 200
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class InferRequest:
    """What is asked of a model.

    Parameters
    ----------
    id : the caller's own, to be told again; None without one.
    inputs : by name.
    datatypes : of the inputs, by name.
    parameters : of the request.
    outputs : names of those asked for, each with whether it is to be binary; None for all.
    is_binary : whether outputs are to be binary where nothing is said of them.
    """

    id: str | None
    inputs: dict[str, Array]
    datatypes: dict[str, str]
    parameters: Mapping[str, Any]
    outputs: dict[str, bool] | None
    is_binary: bool


def read_request(body: bytes, header_length: bytes | None = None) -> InferRequest:
    """Read the body of `…/infer`.

    Parameters
    ----------
    header_length : of the JSON, where binary data follow it (`Inference-Header-Content-Length`).

    Raises
    ------
    BadRequest
        It is no JSON, or the lengths are not those of the body.
    Invalid
        Something in it is wrong; the detail says what to send.
    """
    document: Any
    if header_length is None:
        document, rest = _json(body), memoryview(b"")
    else:
        whole, length = memoryview(body), _length(header_length, len(body))
        document, rest = _json(whole[:length]), whole[length:]
    if type(document) is not dict:
        raise Invalid('the body is a JSON object; send {"inputs": [{"name", "shape", "datatype", "data"}]}')
    given = document.get("inputs")
    if type(given) is not list or not given:
        told = (
            'is a list of tensors, such as [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]'
        )
        raise Invalid.field("inputs", told, given)
    inputs, datatypes = _inputs(given, rest)
    parameters = document.get("parameters")
    if parameters is None:
        parameters = _NOTHING
    elif type(parameters) is not dict:
        raise Invalid.field("parameters", "is an object of names and values", parameters)
    is_binary = _flag(parameters, "binary_data_output", "parameters")
    wanted, request_id = document.get("outputs"), document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise Invalid.field("id", "is a text", request_id)
    outputs = None if wanted is None or wanted == [] else _outputs(wanted, is_binary)
    return InferRequest(request_id, inputs, datatypes, parameters, outputs, is_binary)


def _json(text: bytes | memoryview) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        more = f"; with binary tensor data, {HEADER_LENGTH} tells the length of the JSON before it"
        raise BadRequest(f"the body is no JSON: {exc.msg} at character {exc.pos}{more}") from None


def _length(header: bytes, size: int) -> int:
    if not (header.isdigit() and len(header) < 20 and 0 < int(header) <= size):
        raise BadRequest(
            f"{HEADER_LENGTH} is the number of bytes of the JSON at the beginning of the body, 1 to {size}; "
            "leave it out where no binary data follow"
        )
    return int(header)


def _inputs(given: list[Any], rest: memoryview) -> tuple[dict[str, Array], dict[str, str]]:
    inputs: dict[str, Array] = {}
    datatypes: dict[str, str] = {}
    place = 0
    for tensor in given:
        if type(tensor) is not dict:
            raise Invalid.field("inputs", "each is an object with name, shape, datatype and data", tensor)
        name = tensor.get("name")
        if type(name) is not str or not 0 < len(name) <= _NAME_CHARS:
            raise Invalid.field("inputs", f"each has a name, a text of at most {_NAME_CHARS} characters", name)
        if name in inputs:
            raise Invalid.field(name, "is there twice; send each input once", where="inputs")
        known = tensor.get("datatype")
        datatype = DATATYPES.get(known) if type(known) is str else None
        if datatype is None:
            raise Invalid.field(name, f"datatype is one of {', '.join(DATATYPES)}", known, where="inputs")
        shape, count = checked_shape(name, tensor.get("shape"))
        parameters = tensor.get("parameters")
        size = None if parameters is None else _binary_size(name, parameters)
        if size is None:
            if "data" not in tensor:
                told = "has no data; send them as `data`, or as binary data with the parameter binary_data_size"
                raise Invalid.field(name, told, where="inputs")
            inputs[name] = from_json(name, datatype, shape, count, tensor["data"])
        else:
            if "data" in tensor:
                raise Invalid.field(name, "has data and binary_data_size; send one of them", where="inputs")
            end = place + size
            if end > len(rest):
                raise BadRequest(
                    f"{name}: {size} bytes of binary data are announced and {len(rest) - place} are there after "
                    f"the JSON and the inputs before; send all, and {HEADER_LENGTH}"
                )
            inputs[name] = from_binary(name, datatype, shape, count, rest[place:end])
            place = end
        datatypes[name] = datatype.name
    if place != len(rest):
        raise BadRequest(
            f"{len(rest) - place} bytes follow that belong to no input; binary_data_size of each input tells how many "
            "are its own"
        )
    return inputs, datatypes


def _binary_size(name: str, parameters: object) -> int | None:
    if type(parameters) is not dict:
        raise Invalid.field(name, "parameters is an object of names and values", parameters, where="inputs")
    if _SHARED_MEMORY in parameters:
        raise Invalid.field(name, "shared memory is not taken here; send the data", where="inputs")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise Invalid.field(name, "binary_data_size is a number of bytes", size, where="inputs")
    return size


def _outputs(wanted: object, is_binary: bool) -> dict[str, bool]:
    if type(wanted) is not list:
        raise Invalid.field("outputs", 'is a list such as [{"name": "Y"}]', wanted)
    found: dict[str, bool] = {}
    for output in wanted:
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str or not 0 < len(name) <= _NAME_CHARS:
            raise Invalid.field("outputs", 'each is an object with a name, such as {"name": "Y"}', output)
        parameters = output.get("parameters")
        if parameters is None:
            parameters = _NOTHING
        elif type(parameters) is not dict:
            raise Invalid.field(name, "parameters is an object of names and values", parameters, where="outputs")
        if _SHARED_MEMORY in parameters:
            raise Invalid.field(name, "shared memory is not given here; take the data", where="outputs")
        if parameters.get("classification"):
            raise Invalid.field(name, "classification is not done here; take the scores", where="outputs")
        found[name] = _flag(parameters, "binary_data", name) if "binary_data" in parameters else is_binary
    return found


def _flag(parameters: Mapping[str, Any], name: str, where: str) -> bool:
    found = parameters.get(name, False)
    if type(found) is not bool:
        raise Invalid.field(name, "is true or false", found, where=where)
    return found
