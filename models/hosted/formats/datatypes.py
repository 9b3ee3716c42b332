"""Datatypes of the Open Inference Protocol, and what NumPy and ONNX call them."""

from typing import Any

import numpy as np

NUMPY: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
ONNX = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_BY_KIND = {np.dtype(kind): name for name, kind in NUMPY.items() if name != "BYTES"}


def datatype_of(array: "np.ndarray[Any, Any]") -> str:
    """Raises KeyError where the protocol has none for it."""
    return "BYTES" if array.dtype.kind in "OSU" else _BY_KIND[array.dtype]
