"""The encoder as an ONNX graph with eight-bit weights, node by node.

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

from models.sentiment.sizes import Sizes
from models.sentiment.wide import BUCKETS, FACTORS

MICROSOFT = "com.microsoft"
# The newest that ONNX Runtime 1.22 can read.
_OPSET, _IR = 17, 8
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


def build(
    sizes: Sizes, weights: Weights, ranges: Ranges, epsilon: float, table: NDArray[np.float32] | None = None
) -> onnx.ModelProto:
    """The graph: `input_ids`, `attention_mask` (n, length) int64 -> `logits` (n, 2) float32.

    Parameters
    ----------
    weights : those of `architecture.Encoder`, by their names there.
    epsilon : of the normalisations.
    table : of `wide.fit_table`; its margin is added.
    """
    graph = Graph(weights, ranges)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    # Added to the scores of the attention: 0 for a token, far below for padding. (n, 1, 1, length) for all heads.
    away = graph.add("Mul", graph.add("Sub", mask, graph.constant("one", 1)), graph.constant("far", 1e4))
    bias = graph.add("Unsqueeze", away, graph.constant("axes.heads", [1, 2], np.int64))
    length = graph.add("Shape", "input_ids", start=1, end=2)
    places = graph.add(
        "Range", graph.constant("zero", 0, np.int64), graph.add("Squeeze", length), graph.constant("step", 1, np.int64)
    )
    token = graph.linear("project", graph.look_up("token.weight", "input_ids"))
    position = graph.add("Unsqueeze", graph.look_up("position.weight", places), graph.constant("axes.n", [0], np.int64))
    x = graph.add_and_norm("embedded", token, position, epsilon)
    # One row of scores a token: the attention's own broadcast covers heads, not rows.
    rows = graph.add(
        "Concat", graph.constant("ones", [1, 1], np.int64), length, graph.constant("ones.1", [1], np.int64), axis=0
    )
    bias = graph.add("Expand", bias, rows)
    for number in range(sizes.layers):
        at = f"layers.{number}"
        query, key, value = graph.add("Split", graph.linear(f"{at}.attend", x), outputs=3, axis=-1)
        mixed = graph.add(
            "MultiHeadAttention", query, key, value, "", "", bias, domain=MICROSOFT, num_heads=sizes.heads
        )
        x = graph.add_and_norm(f"{at}.attended", graph.linear(f"{at}.gather", mixed), x, epsilon)
        wide = graph.add("Gelu", graph.linear(f"{at}.widen", x), domain=MICROSOFT)
        x = graph.add_and_norm(f"{at}.widened", graph.linear(f"{at}.narrow", wide), x, epsilon)
    # The mean over tokens, as a product of (n, 1, length) and (n, length, hidden).
    share = graph.add("Div", mask, graph.add("ReduceSum", mask, graph.constant("axes.1", [1], np.int64)))
    mean = graph.add("MatMul", graph.add("Unsqueeze", share, graph.constant("axes.row", [1], np.int64)), x)
    text = graph.add("Squeeze", mean, graph.constant("axes.row", [1], np.int64))
    logits = graph.add("Gemm", text, graph.weight("head.weight"), graph.weight("head.bias"), transB=1)
    if table is not None:
        half = graph.add("Mul", _margin(graph, table, sizes.pieces, mask), graph.constant("halves", [[-0.5, 0.5]]))
        logits = graph.add("Add", logits, half)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    shape = ["n", "length"]
    made = helper.make_graph(
        graph.nodes,
        "sentiment",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=_IR, producer_name="atoll")


def _margin(graph: Graph, table: NDArray[np.float32], pieces: int, mask: str) -> str:
    """`wide.margins` of the texts, (n, 1)."""
    numbers, scale = quantise(table[:, None], EMBEDDING_LEVELS, axis=0)
    kept = graph.constant("table", numbers[:, 0], np.int8)
    sums, counts = [], []
    for length in (1, 2, 3):
        # Columns of the first, second and third pieces, and whether all of them are there.
        columns = [graph.part("input_ids", at, length - 1 - at) for at in range(length)]
        present = graph.part(mask, length - 1, 0)
        place = columns[0]
        if length > 1:
            products = [
                graph.add("Mul", column, graph.ints(f"factor.{at}", FACTORS[at])) for at, column in enumerate(columns)
            ]
            place = products[0]
            for product in products[1:]:
                place = graph.add("Add", place, product)
            place = graph.add("Mod", place, graph.ints("buckets", BUCKETS))
            place = graph.add("Add", place, graph.ints("pieces", pieces))
        found = graph.add("Cast", graph.add("Gather", kept, place), to=TensorProto.FLOAT)
        sums.append(graph.add("ReduceSum", graph.add("Mul", found, present), graph.ints("axes.1", 1)))
        counts.append(graph.add("ReduceSum", present, graph.ints("axes.1", 1)))
    total, count = (graph.add("Add", graph.add("Add", *parts[:2]), parts[2]) for parts in (sums, counts))
    return str(
        graph.add("Mul", graph.add("Div", total, graph.add("Sqrt", count)), graph.constant("table.scale", scale))
    )
