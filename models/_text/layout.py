"""Weights of the two architectures, DistilBERT and BERT, under one set of names and with their shapes.

Both are the same layers (attention, then two linear maps, each added and normalised) under other names. What differs:
BERT adds a vector for the segment, and pools the first token with a hyperbolic tangent, DistilBERT with a rectifier.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Architecture = Literal["DistilBertForSequenceClassification", "BertForSequenceClassification"]
Activation = Literal["Gelu", "Relu"]


@dataclass(frozen=True)
class Layout:
    """Sizes of a checkpoint.

    Parameters
    ----------
    pieces : rows of the table of word pieces.
    inner : numbers a token is between the two linear maps of a layer.
    positions : most tokens of a text, start and end included.
    epsilon : of the normalisations.
    """

    architecture: Architecture
    pieces: int
    hidden: int
    inner: int
    heads: int
    layers: int
    positions: int
    activation: Activation
    epsilon: float
    segments: int = 0
    classes: int = 2

    @property
    def is_distilled(self) -> bool:
        return self.architecture == "DistilBertForSequenceClassification"

    @property
    def pooling(self) -> str:
        """The ONNX operator between the two linear maps of the head."""
        return "Relu" if self.is_distilled else "Tanh"

    def tensors(self) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Each tensor that a checkpoint has: our name, its name there, its shape."""
        hidden, inner = self.hidden, self.inner
        root = "distilbert" if self.is_distilled else "bert"
        names = _DISTILBERT if self.is_distilled else _BERT
        yield "token", f"{root}.embeddings.word_embeddings.weight", (self.pieces, hidden)
        yield "position", f"{root}.embeddings.position_embeddings.weight", (self.positions, hidden)
        if self.segments:
            yield "segment", f"{root}.embeddings.token_type_embeddings.weight", (self.segments, hidden)
        for kind in ("weight", "bias"):
            yield f"embedded.{kind}", f"{root}.embeddings.LayerNorm.{kind}", (hidden,)
        wide = {"widen": (inner, hidden), "narrow": (hidden, inner)}
        for number in range(self.layers):
            for ours, theirs in names.items():
                at = f"{root}.{'transformer' if self.is_distilled else 'encoder'}.layer.{number}.{theirs}"
                weight = (hidden,) if ours.endswith("ed") else wide.get(ours, (hidden, hidden))
                yield f"layers.{number}.{ours}.weight", f"{at}.weight", weight
                yield f"layers.{number}.{ours}.bias", f"{at}.bias", weight[:1]
        pool = "pre_classifier" if self.is_distilled else "bert.pooler.dense"
        for ours, theirs, rows in (("pool", pool, hidden), ("head", "classifier", self.classes)):
            yield f"{ours}.weight", f"{theirs}.weight", (rows, hidden)
            yield f"{ours}.bias", f"{theirs}.bias", (rows,)


# Our names of a layer's parts; those that end in `ed` are normalisations.
_DISTILBERT = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "gather": "attention.out_lin",
    "attended": "sa_layer_norm",
    "widen": "ffn.lin1",
    "narrow": "ffn.lin2",
    "widened": "output_layer_norm",
}
_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "gather": "attention.output.dense",
    "attended": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "widened": "output.LayerNorm",
}
