"""Models that a server has to refuse, and archives of them, made in the test that needs them."""

import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_FLOAT, _BOOL, _INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def unknown_operator(path: Path) -> Path:
    return _written(path, [helper.make_node("NoSuchOp", ["x"], ["y"])])


def allocates(path: Path) -> Path:
    """A model that doubles a tensor again and again when it runs."""
    return _written(path, _loop(100, [helper.make_node("Concat", ["a", "a"], ["b"], axis=0)]))


def loops(path: Path) -> Path:
    """A model that takes years to run."""
    return _written(path, _loop(1 << 60, [helper.make_node("Identity", ["a"], ["b"])]))


def leaks(path: Path) -> Path:
    """A model in which a row's answer depends on the other rows."""
    axes = numpy_helper.from_array(np.array([0], np.int64), "axes")
    nodes = [helper.make_node("ReduceSum", ["x", "axes"], ["sum"]), helper.make_node("Add", ["x", "sum"], ["y"])]
    return _written(path, nodes, [axes])


def outside(folder: Path, location: str) -> tuple[Path, Path]:
    """A model that keeps its weights in another file, which it says is at `location`; and that file."""
    weights = numpy_helper.from_array(np.full((4, 4), 2, np.float32), "w")
    path = _written(folder / "model.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [weights])
    data = folder / "weights.bin"
    onnx.save(
        onnx.load(path), path, save_as_external_data=True, location=data.name, size_threshold=0, convert_attribute=False
    )
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    return path, data


def archive(path: Path, files: Mapping[str, bytes | Path], links: Mapping[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content.read_bytes() if isinstance(content, Path) else content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(info, target)
    return path


def _loop(rounds: int, body: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [*body, helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("round", _INT64, []), value("go", _BOOL, []), value("a", _FLOAT, ["k"])],
        [value("on", _BOOL, []), value("b", _FLOAT, ["more"])],
    )
    constants = {
        "rounds": np.array(rounds, np.int64),
        "begin": np.array(True),
        "ones": np.ones(1024, np.float32),
    }
    return [
        *(
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))
            for name, array in constants.items()
        ),
        helper.make_node("Loop", ["rounds", "begin", "ones"], ["v"], body=graph),
        helper.make_node("ReduceSum", ["v"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]


def _written(path: Path, nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto] = ()) -> Path:
    given, told = (helper.make_tensor_value_info(name, _FLOAT, ["n", 4]) for name in ("x", "y"))
    graph = helper.make_graph(list(nodes), "made", [given], [told], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
