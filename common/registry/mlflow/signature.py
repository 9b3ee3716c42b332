"""Inputs and outputs of a model, as MLflow and as the Open Inference Protocol have them. Pure.

Source: MLflow's documentation of model signatures: a list of columns or of tensors, as JSON within the YAML.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

# Names of NumPy's types, as MLflow gives those of tensors.
_DTYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "str",
}
_DATATYPES = {dtype: datatype for datatype, dtype in _DTYPES.items()} | {"object": "BYTES", "bytes": "BYTES"}
_COLUMNS = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}


def to_mlflow(signature: Mapping[str, Any] | None, *, by_name: bool = False) -> dict[str, Any] | None:
    """A signature for `MLmodel`; None where there is none, or a datatype has no counterpart (BF16).

    Parameters
    ----------
    by_name : the model takes tensors by name even where it takes one, as ONNX does.
    """
    if not signature:
        return None
    sides: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        tensors = signature.get(side) or []
        if any(tensor["datatype"] not in _DTYPES for tensor in tensors):
            return None
        named = by_name or len(tensors) > 1
        specs = [
            ({"name": tensor["name"]} if named else {})
            | {
                "type": "tensor",
                "tensor-spec": {"dtype": _DTYPES[tensor["datatype"]], "shape": _free_rows(tensor["shape"])},
            }
            for tensor in tensors
        ]
        sides[side] = json.dumps(specs) if specs else None
    return {**sides, "params": None}


def from_mlflow(signature: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The signature that `MLmodel` tells; None where it tells none, or one that tensors cannot carry."""
    if not isinstance(signature, Mapping):
        return None
    found: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        given = signature.get(side)
        try:
            specs = json.loads(given) if isinstance(given, str) else given
            found[side] = _tensors(specs or [], side.removesuffix("s"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
    return found if found["inputs"] else None


def _tensors(specs: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    tensors = []
    for number, spec in enumerate(specs):
        told = {"name": str(spec.get("name") or (name if len(specs) == 1 else f"{name}_{number}"))}
        if spec["type"] == "tensor":
            inner = spec["tensor-spec"]
            dtype = str(inner["dtype"])
            datatype = "BYTES" if dtype.startswith(("<U", "|S", "str")) else _DATATYPES[dtype]
            tensors.append({**told, "datatype": datatype, "shape": [int(size) for size in inner["shape"]]})
        else:
            # A column: one value a row.
            tensors.append({**told, "datatype": _COLUMNS[spec["type"]], "shape": [-1, 1]})
    return tensors


def _free_rows(shape: Sequence[int]) -> list[int]:
    """MLflow takes no shape without dimensions."""
    return [int(size) for size in shape] or [-1]
