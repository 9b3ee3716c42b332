"""A model of random weights, for what holds whatever was learned; made without PyTorch."""

import numpy as np

from models.scaleout.graph.encodings import CODE, WIDTH
from models.scaleout.graph.model import GraphModel
from models.scaleout.graph.nodes import FEATURES
from models.scaleout.graph.propagate import shapes


def untrained(hidden: int = 8, members: int = 2, seed: int = 0) -> GraphModel:
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, (size, width) in shapes(hidden).items():
        arrays[name] = rng.normal(scale=0.1, size=(members, size, width))
        if name not in ("attend", "message", "linear"):
            arrays[f"{name}_bias"] = np.zeros((members, 1, 1, width))
    arrays |= {"mean": np.zeros(FEATURES), "scale": np.ones(FEATURES)}
    arrays |= {"coder_first": rng.normal(size=(WIDTH, 8)), "coder_first_bias": np.zeros(8)}
    arrays |= {"coder_second": rng.normal(size=(8, CODE)), "coder_second_bias": np.zeros(CODE)}
    card = {"margins": {"80": 1.0, "90": 1.3}, "figures": {}, "algorithms": ["kmeans"]}
    return GraphModel({name: array.astype(np.float32) for name, array in arrays.items()}, card)
