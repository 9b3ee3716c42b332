"""The models: the same ONNX files for everybody; and versions in a registry, before its server starts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.hosted.peers.work import INPUT
from common.database import Database
from common.registry.service import Registry
from common.settings import StorageSettings
from common.storage import Blobs, open_share
from models.hosted.check.examine import examine
from models.hosted.formats.card import CARD, Card


def make(folder: Path) -> Path:
    """`iris.onnx`, a logistic regression, and `forest.onnx`, a hundred trees."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    folder.mkdir(parents=True, exist_ok=True)
    fitted = {
        "iris": make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
        "forest": RandomForestClassifier(100, random_state=0).fit(x, y),
    }
    for name, model in fitted.items():
        graph = to_onnx(
            model, initial_types=[(INPUT, FloatTensorType([None, 4]))], options={"zipmap": False}, target_opset=17
        )
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())
    return folder


def marked(path: Path, number: float, size_bytes: int = 0) -> Path:
    """A model that answers `number` to each row, and holds so many bytes of weights."""
    width = max(1, size_bytes // 16)
    weights = np.full((4, width), number, np.float32)
    constants = {"W": weights, "none": np.zeros(1, np.float32), "mark": np.array([number], np.float32)}
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("MatMul", [INPUT, "W"], ["wide"]),
        helper.make_node("ReduceMax", ["wide"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["most", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "mark"], ["Y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "marked",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", 1])],
        [*(numpy_helper.from_array(array, name) for name, array in constants.items()), axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


class Shelf:
    """The registry of a state folder, to be filled before a server opens it."""

    def __init__(self, state: Path) -> None:
        storage = StorageSettings(state_dir=state)
        state.mkdir(parents=True, exist_ok=True)
        database = Database(f"sqlite:///{state / 'atoll.db'}")
        database.migrate()
        self._state = state
        self.registry = Registry(database, Blobs(open_share(storage), storage.cache_dir))

    def publish(self, tag: str, path: Path, *, memory_bytes: int | None = None, default: bool = True) -> None:
        """As an upload does, but for the process of its own: these files are ours."""
        told: Mapping[str, Any] = examine("onnx", {"path": str(path), "folder": str(self._state)})
        card = Card.from_json(told["card"])
        if memory_bytes is not None:
            card = replace(card, memory_bytes=memory_bytes)
        import orjson

        artefacts: dict[str, Path | bytes] = {"model.onnx": path, CARD: orjson.dumps(card.as_json())}
        self.registry.publish(
            f"hosted.{tag}",
            artefacts,
            author="benchmark",
            code_version="benchmark",
            alias="default" if default else None,
            signature=card.signature,
        )


__all__ = ["Shelf", "make", "marked", "onnx"]
