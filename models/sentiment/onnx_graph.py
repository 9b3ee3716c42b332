"""The encoder as an ONNX graph with eight-bit weights, node by node (see `models._text.nodes`)."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models._text.nodes import EMBEDDING_LEVELS, IR, MICROSOFT, OPSET, Graph, Ranges, Weights, quantise
from models.sentiment.sizes import Sizes
from models.sentiment.wide import BUCKETS, FACTORS


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
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="atoll")


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
