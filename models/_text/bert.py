"""DistilBERT and BERT classifiers as ONNX graphs, in eight bits to serve and in 32 to compare with.

The last layer is computed for the first token alone, since nothing else is read of it: an eighth of the work less, and
the same answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper

from models._text.layout import Layout
from models._text.nodes import IR, MICROSOFT, OPSET, WEIGHT_LEVELS, Graph, Ranges, Weights, quantise

# What a linear map's input lay between is put out under its name and one of these.
LOW, HIGH = ":low", ":high"


class _Plain(Graph):
    """The same in 32 bits, as the original is."""

    def look_up(self, name: str, places: str) -> str:
        return str(self.add("Gather", self.weight(name), places))

    def linear(self, name: str, x: str) -> str:
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return str(self.add("Add", self.add("MatMul", x, weight), self.weight(f"{name}.bias")))


@dataclass
class _Exact(_Plain):
    """In 32 bits, and watched.

    Attributes
    ----------
    watched : outputs that tell the ranges of the linear maps' inputs.
    """

    watched: list[str] = field(default_factory=list)

    def linear(self, name: str, x: str) -> str:
        for suffix, kind in ((LOW, "ReduceMin"), (HIGH, "ReduceMax")):
            self.nodes.append(helper.make_node(kind, [x], [f"{name}{suffix}"], keepdims=0))
            self.watched.append(f"{name}{suffix}")
        return super().linear(name, x)


class _ByToken(Graph):
    """Eight bits, each token's numbers scaled by their own largest.

    A number that is far off coarsens its own token only, and no range has to be known before.
    """

    def linear(self, name: str, x: str) -> str:
        most = self.add("ReduceMax", self.add("Abs", x), axes=[-1], keepdims=1)
        step = self.add("Div", self.add("Max", most, self.constant("tiny", 1e-6)), self.constant("levels", 127))
        one, middle = self.constant("unit", 1), self.constant("middle", 128, np.uint8)
        numbers, by_column = quantise(self.weights[f"{name}.weight"].T, self.levels, axis=0)
        product = self.add(
            "MatMulIntegerToFloat",
            self.add("QuantizeLinear", self.add("Div", x, step), one, middle),
            self.constant(f"{name}.weight", numbers, np.int8),
            one,
            self.constant(f"{name}.scale", by_column),
            middle,
            domain=MICROSOFT,
        )
        return str(self.add("Add", self.add("Mul", product, step), self.weight(f"{name}.bias")))


def fused(layout: Layout, weights: Weights) -> Weights:
    """The weights as the graphs want them: maps of the same input side by side, the segment added to the position."""
    made = dict(weights)
    for number in range(layout.layers):
        at = f"layers.{number}"
        # Of the last layer only the first token's query is asked for.
        parts = ("key", "value") if number == layout.layers - 1 else ("query", "key", "value")
        for kind in ("weight", "bias"):
            made[f"{at}.attend.{kind}"] = np.concatenate([made.pop(f"{at}.{part}.{kind}") for part in parts])
    if "segment" in made:
        # All of a text is one segment, the first.
        made["position"] = made["position"] + made.pop("segment")[0]
    return made


def build(layout: Layout, weights: Weights, ranges: Ranges | None, levels: int = WEIGHT_LEVELS) -> onnx.ModelProto:
    """What is served: `input_ids`, `attention_mask` (n, length) int64 -> `logits` (n, classes) float32.

    Parameters
    ----------
    weights : as `fused` makes them.
    ranges : of the inputs of the linear maps, by name; None scales each token by itself.
    levels : of the weights on each side of 0: 63 (seven bits) or 127.
    """
    if ranges is None:
        return _model(layout, _ByToken(weights, {}, levels=levels))
    return _model(layout, Graph(weights, ranges, levels=levels))


def build_exact(layout: Layout, weights: Weights) -> onnx.ModelProto:
    """The original: as `build`, in 32 bits, with an output for the lowest and highest input of each linear map."""
    return _model(layout, _Exact(weights, {}))


def build_plain(layout: Layout, weights: Weights) -> onnx.ModelProto:
    """The original as it is to be served: as `build`, in 32 bits."""
    return _model(layout, _Plain(weights, {}))


def ranges_of(outputs: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """The ranges among what `build_exact`'s graph put out."""
    names = [name.removesuffix(LOW) for name in outputs if name.endswith(LOW)]
    return {name: (outputs[name + LOW], outputs[name + HIGH]) for name in names}


def _model(layout: Layout, graph: Graph) -> onnx.ModelProto:
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    # Added to the scores of the attention: 0 for a token, far below for padding. (n, 1, 1, length) for all heads.
    away = graph.add("Mul", graph.add("Sub", mask, graph.constant("one", 1)), graph.constant("far", 1e4))
    row = graph.add("Unsqueeze", away, graph.constant("axes.heads", [1, 2], np.int64))
    length = graph.add("Shape", "input_ids", start=1, end=2)
    places = graph.add(
        "Range", graph.constant("zero", 0, np.int64), graph.add("Squeeze", length), graph.constant("step", 1, np.int64)
    )
    position = graph.add("Unsqueeze", graph.look_up("position", places), graph.constant("axes.n", [0], np.int64))
    x = graph.add_and_norm("embedded", graph.look_up("token", "input_ids"), position, layout.epsilon)
    ones = graph.constant("ones", [1], np.int64)
    rows = graph.add("Concat", ones, ones, length, ones, axis=0)
    # One row of scores a token: the attention's own broadcast covers heads, not rows.
    bias = graph.add("Expand", row, rows)
    for number in range(layout.layers - 1):
        at = f"layers.{number}"
        query, key, value = graph.add("Split", graph.linear(f"{at}.attend", x), outputs=3, axis=-1)
        x = _rest(layout, graph, at, x, _attention(layout, graph, query, key, value, bias))
    at = f"layers.{layout.layers - 1}"
    key, value = graph.add("Split", graph.linear(f"{at}.attend", x), outputs=2, axis=-1)
    start, end = graph.constant("first", [0], np.int64), graph.constant("second", [1], np.int64)
    first = graph.add("Slice", x, start, end, end)
    query = graph.linear(f"{at}.query", first)
    x = _rest(layout, graph, at, first, _attention(layout, graph, query, key, value, row))
    text = graph.add("Squeeze", x, end)
    pooled = graph.add("Gemm", text, graph.weight("pool.weight"), graph.weight("pool.bias"), transB=1)
    pooled = graph.add(layout.pooling, pooled)
    logits = graph.add("Gemm", pooled, graph.weight("head.weight"), graph.weight("head.bias"), transB=1)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    shape = ["n", "length"]
    made = helper.make_graph(
        graph.nodes,
        "classifier",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", layout.classes]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in getattr(graph, "watched", ())),
        ],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="atoll")


def _attention(layout: Layout, graph: Graph, query: str, key: str, value: str, bias: str) -> str:
    return str(
        graph.add("MultiHeadAttention", query, key, value, "", "", bias, domain=MICROSOFT, num_heads=layout.heads)
    )


def _rest(layout: Layout, graph: Graph, at: str, x: str, mixed: str) -> str:
    """What follows the attention in a layer; x, mixed: (n, tokens, hidden)."""
    x = graph.add_and_norm(f"{at}.attended", graph.linear(f"{at}.gather", mixed), x, layout.epsilon)
    domain = MICROSOFT if layout.activation == "Gelu" else ""
    wide = graph.add(layout.activation, graph.linear(f"{at}.widen", x), domain=domain)
    return graph.add_and_norm(f"{at}.widened", graph.linear(f"{at}.narrow", wide), x, layout.epsilon)
