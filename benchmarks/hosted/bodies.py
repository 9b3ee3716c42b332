"""What is sent: rows of irises as JSON or as binary tensors."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris

from benchmarks.hosted.peers.work import INPUT, LABEL

JSON, BINARY = "JSON", "binary"


@dataclass(frozen=True)
class Body:
    """json_bytes: length of the part that is JSON, where tensors follow it."""

    content: bytes
    media_type: str = "application/json"
    json_bytes: int = 0


def rows(count: int) -> NDArray[np.float32]:
    """(count, 4) float32: the data set's own, again and again, each a little off."""
    data = load_iris(return_X_y=True)[0]
    found = np.resize(data, (count, 4)) + np.random.default_rng(0).normal(0, 0.05, (count, 4))
    return np.round(found, 2).astype(np.float32)


def v2_json(count: int) -> Body:
    data = [round(float(value), 2) for value in rows(count).ravel()]
    tensor = {"name": INPUT, "shape": [count, 4], "datatype": "FP32", "data": data}
    return Body(json.dumps({"inputs": [tensor], "outputs": [{"name": LABEL}]}, separators=(",", ":")).encode())


def v2_binary(count: int) -> Body:
    data = rows(count).tobytes()
    tensor = {"name": INPUT, "shape": [count, 4], "datatype": "FP32", "parameters": {"binary_data_size": len(data)}}
    asked = {"inputs": [tensor], "outputs": [{"name": LABEL}], "parameters": {"binary_data_output": True}}
    head = json.dumps(asked, separators=(",", ":")).encode()
    return Body(head + data, "application/octet-stream", len(head))


def own_json(count: int) -> Body:
    """As LitServe's and BentoML's functions take it."""
    found = [[round(float(value), 2) for value in row] for row in rows(count)]
    return Body(json.dumps({"rows": found}, separators=(",", ":")).encode())


Make = Callable[[int], Body]
