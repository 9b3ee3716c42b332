"""Nodes of ONNX graphs with eight-bit weights, one linear map or normalisation at a time.

Written by hand, because what matters is which kernels run: a linear map is one `MatMulIntegerToFloat` of ONNX Runtime,
and attention one `MultiHeadAttention`. Inputs of the linear maps are quantised by ranges that were measured before
(`Ranges`), not by those of the batch at hand: what a text is answered does not depend on the others in its batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
# The newest that ONNX Runtime 1.22 can read.
OPSET, IR = 17, 8
# Seven bits, a sign among them: where the CPU has no VNNI, products are added in pairs in 16 bits, and those of eight
# bits could overflow.
WEIGHT_LEVELS = 63
EMBEDDING_LEVELS = 127

Weights = Mapping[str, NDArray[np.float32]]
# Smallest and largest input of each linear map, by its name.
Ranges = Mapping[str, tuple[float, float]]


def quantise(weights: NDArray[np.float32], levels: int, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric whole numbers of at most `levels`, and the scale of each row or column.

    Parameters
    ----------
    weights : (rows, columns).
    axis : what shares a scale is added up along it; 0: a scale a column, 1: a scale a row.
    """
    scale = np.maximum(np.abs(weights).max(axis=axis, keepdims=True), 1e-12) / levels
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32).squeeze(axis)


@dataclass
class Graph:
    """Nodes and constants under construction; each method adds some and returns the name of the result."""

    weights: Weights
    ranges: Ranges
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    levels: int = WEIGHT_LEVELS

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        names = [f"{kind}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def look_up(self, name: str, places: str) -> str:
        """Rows of a table of eight-bit numbers, with a scale a row."""
        numbers, scale = quantise(self.weights[name], EMBEDDING_LEVELS, axis=1)
        table = self.constant(name, numbers, np.int8)
        scales = self.constant(f"{name}.scale", scale[:, None], np.float16)
        rows, factors = (self.add("Cast", self.add("Gather", x, places), to=TensorProto.FLOAT) for x in (table, scales))
        return str(self.add("Mul", rows, factors))

    def linear(self, name: str, x: str) -> str:
        """x: (…, inputs) float32 -> (…, outputs) float32."""
        low, high = self.ranges[name]
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-6) / 255
        scale = self.constant(f"{name}.step", step)
        zero = self.constant(f"{name}.zero", round(-low / step), np.uint8)
        numbers, by_column = quantise(self.weights[f"{name}.weight"].T, self.levels, axis=0)
        inputs = [
            self.add("QuantizeLinear", x, scale, zero),
            self.constant(f"{name}.weight", numbers, np.int8),
            scale,
            self.constant(f"{name}.scale", by_column),
            zero,
        ]
        if f"{name}.bias" in self.weights:
            inputs += ["", self.weight(f"{name}.bias")]
        return str(self.add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT))

    def norm(self, name: str, x: str, epsilon: float) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return str(self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon))

    def add_and_norm(self, name: str, x: str, other: str, epsilon: float) -> str:
        # Two nodes: the runtime's own `SkipLayerNormalization` takes five times as long on a CPU (measured with 1.31).
        return self.norm(name, self.add("Add", x, other), epsilon)

    def ints(self, name: str, *values: int) -> str:
        return self.constant(name, values, np.int64)

    def part(self, x: str, skipped: int, left: int) -> str:
        """x: (n, length) without its first `skipped` columns and its last `left` ones."""
        end = -left if left else np.iinfo(np.int64).max
        start, stop = self.ints(f"from.{skipped}", skipped), self.ints(f"to.{left}", end)
        return str(self.add("Slice", x, start, stop, self.ints("columns", 1)))
