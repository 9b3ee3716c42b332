"""Small ONNX models, made in the test that needs them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IRIS_COLUMNS = 4


def add(path: Path, number: float, *, width: int = IRIS_COLUMNS) -> Path:
    """A model that adds `number` to each figure of a row; so an answer tells which version gave it."""
    constant = numpy_helper.from_array(np.array([number], dtype=np.float32), "number")
    return _written(
        path,
        [helper.make_node("Add", ["X", "number"], ["Y"])],
        ("X", TensorProto.FLOAT, ["rows", width]),
        ("Y", TensorProto.FLOAT, ["rows", width]),
        [constant],
    )


def brightness(path: Path, side: int = 8) -> Path:
    """A model of images [N, 3, side, side] that answers the mean of each channel."""
    return _written(
        path,
        [
            helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["mean"]),
        ],
        ("image", TensorProto.FLOAT, ["rows", 3, side, side]),
        ("mean", TensorProto.FLOAT, ["rows", 3]),
        [],
    )


def heavy(path: Path, size_bytes: int) -> Path:
    """A model of about that size, at most 2 GB, that does little: it adds the first of many rows to each row."""
    rows = max(1, size_bytes // 4 // IRIS_COLUMNS)
    weights = numpy_helper.from_array(np.ones((rows, IRIS_COLUMNS), dtype=np.float32), "W")
    first = numpy_helper.from_array(np.array(0, dtype=np.int64), "first")
    return _written(
        path,
        [helper.make_node("Gather", ["W", "first"], ["row"]), helper.make_node("Add", ["X", "row"], ["Y"])],
        ("X", TensorProto.FLOAT, ["rows", IRIS_COLUMNS]),
        ("Y", TensorProto.FLOAT, ["rows", IRIS_COLUMNS]),
        [weights, first],
    )


def _written(
    path: Path,
    nodes: list[onnx.NodeProto],
    given: tuple[str, int, list[object]],
    answered: tuple[str, int, list[object]],
    constants: list[onnx.TensorProto],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(*given)],
        [helper.make_tensor_value_info(*answered)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="tests")
    path.write_bytes(model.SerializeToString())
    return path
