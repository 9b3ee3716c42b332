"""What all peers run: ONNX Runtime on one thread, as Atoll does for models of this size. Nothing of Atoll."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODELS = ("iris", "forest")
INPUT, LABEL = "X", "label"


def session(name: str) -> Callable[[Any], Any]:
    """Rows (n, 4) float32 -> labels (n,) int64."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    path = Path(sys.argv[2]) / f"{name}.onnx"
    run = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run

    def labels(rows: Any) -> Any:
        return run([LABEL], {INPUT: np.asarray(rows, np.float32)})[0]

    return labels
