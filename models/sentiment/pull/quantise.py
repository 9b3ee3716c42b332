"""The eight-bit graph of a checkpoint, and how far its answers are from those of the original."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models._text import bert as graph
from models._text.layout import Layout
from models._text.nodes import Ranges, Weights
from models.sentiment.calibration import softmax
from models.sentiment.classifier import Tokens

if TYPE_CHECKING:
    import onnxruntime

Floats = NDArray[np.float32]
Step = Callable[[int, int], object]
LEVELS = {7: 63, 8: 127}


@dataclass(frozen=True)
class Distance:
    """Of what is served from the original, on the same texts.

    Attributes
    ----------
    texts : how many.
    original_accuracy, accuracy : shares told as the labels say.
    agreement : share told the same by both.
    most_apart, mean_apart : distance of the scores, 0 to 1.
    """

    texts: int
    original_accuracy: float
    accuracy: float
    agreement: float
    most_apart: float
    mean_apart: float

    @classmethod
    def between(cls, original: Floats, served: Floats, labels: NDArray[np.int64]) -> "Distance":
        """original, served: (n, 2) logits."""
        apart = np.abs(softmax(original)[:, 1] - softmax(served)[:, 1])
        told = original.argmax(axis=1), served.argmax(axis=1)
        right = [float(np.mean(one == labels)) for one in told]
        figures = (*right, float(np.mean(told[0] == told[1])), float(apart.max()), float(apart.mean()))
        return cls(len(labels), *(round(figure, 5) for figure in figures))

    def is_within(self, most: float, mean: float) -> bool:
        return self.most_apart <= most and self.mean_apart <= mean

    def as_json(self) -> dict[str, float]:
        return asdict(self)


class Original:
    """The checkpoint in 32 bits."""

    def __init__(self, layout: Layout, weights: Weights) -> None:
        self._session = _session(graph.build_exact(layout, weights).SerializeToString())
        self._outputs = [output.name for output in self._session.get_outputs()]

    def ranges(self, numbers: Sequence[Sequence[int]], step: Step) -> dict[str, tuple[float, float]]:
        """Between what the inputs of the linear maps lie at these texts, by token numbers."""
        low: dict[str, float] = {}
        high: dict[str, float] = {}
        # One by one: what padding holds is no input.
        for done, one in enumerate(numbers):
            step(done, len(numbers))
            tokens = Tokens.pad([one])
            values = self._session.run(None, {"input_ids": tokens.ids, "attention_mask": tokens.mask})
            told = {name: float(value) for name, value in zip(self._outputs, values, strict=True) if value.ndim == 0}
            for name, (least, most) in graph.ranges_of(told).items():
                low[name] = min(low.get(name, least), least)
                high[name] = max(high.get(name, most), most)
        return {name: (low[name], high[name]) for name in low}

    def logits(self, numbers: Sequence[Sequence[int]], step: Step) -> Floats:
        """(n, 2)."""
        return _logits(self._session, numbers, step)


def served_graph(layout: Layout, weights: Weights, ranges: Ranges | None, bits: int) -> bytes:
    """The file to serve.

    Parameters
    ----------
    ranges : of the inputs; None scales each token's by itself, which is nearer to the original and slower.
    """
    return bytes(graph.build(layout, weights, ranges, LEVELS[bits]).SerializeToString(deterministic=True))


def served_logits(content: bytes, numbers: Sequence[Sequence[int]], step: Step) -> Floats:
    """(n, 2) of a graph to serve."""
    return _logits(_session(content), numbers, step)


def _logits(session: "onnxruntime.InferenceSession", numbers: Sequence[Sequence[int]], step: Step) -> Floats:
    found = np.zeros((len(numbers), 2), np.float32)
    for done, one in enumerate(numbers):
        step(done, len(numbers))
        tokens = Tokens.pad([one])
        found[done] = session.run(["logits"], {"input_ids": tokens.ids, "attention_mask": tokens.mask})[0][0]
    return found


def _session(content: bytes) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
