"""Gradient-boosted trees in ONNX Runtime: the expected value and, for intervals, two quantiles.

One graph has three targets; its inputs and thresholds are 64-bit, as those of scikit-learn, from which it is written.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

Floats = NDArray[np.float64]


class BoostedTrees:
    """
    Parameters
    ----------
    graph : the ONNX model.
    margin : what is added to both ends of an interval, so that it covers what it should (see `fitting`).
    """

    def __init__(self, graph: bytes, margin: float) -> None:
        self.graph = graph
        self.margin = margin

    @cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Batches of many requests run on threads of ours.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    def open(self) -> None:
        """Read the graph; the first prediction would. Raises what ONNX Runtime raises for one that it cannot run."""
        _ = self._session

    def predict(self, rows: Floats) -> Floats:
        """(n_rows, 8) float64, NaN where a value is missing -> (n_rows, 3): expected, lower and upper end.

        The ends hold the value in 90 % of districts like those of the training data, and the expected value lies
        between them.
        """
        (found,) = self._session.run(None, {"rows": np.ascontiguousarray(rows, dtype=np.float64)})
        expected, low, high = np.asarray(found, dtype=np.float64).T
        lower, upper = np.minimum(low, high) - self.margin, np.maximum(low, high) + self.margin
        return np.stack([expected, np.minimum(lower, expected), np.maximum(upper, expected)], axis=1)
