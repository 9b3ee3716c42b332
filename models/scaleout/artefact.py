"""What a training publishes: arrays and a card. No pickle is ever loaded."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from common.errors import ModelUnavailable

if TYPE_CHECKING:
    from models.scaleout.graph.model import GraphModel

GRAPH, CARD = FILES = ("graph.npz", "model.json")
# Far above what any training makes; a file beyond it is none of ours.
_MOST_BYTES = 64_000_000


def pack(model: "GraphModel") -> dict[str, bytes]:
    """Files by their names; `read` takes their paths."""
    import numpy as np

    packed = io.BytesIO()
    arrays = {name: model.arrays[name] for name in sorted(model.arrays)}
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    card = orjson.dumps(dict(model.card), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return {GRAPH: packed.getvalue(), CARD: card}


def read(files: Mapping[str, Path]) -> "GraphModel":
    """The model of two files, by their names.

    Raises
    ------
    ModelUnavailable
        A file is missing or holds no such model; the text names it.
    """
    import numpy as np

    from models.scaleout.graph.model import GraphModel

    name = CARD
    try:
        card = orjson.loads(files[CARD].read_bytes())
        name = GRAPH
        content = files[GRAPH].read_bytes()
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it has {len(content)} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return GraphModel({key: arrays[key] for key in arrays.files}, card)
    except FileNotFoundError:
        raise ModelUnavailable(f"{name} is missing: {files[name]}") from None
    # A file that was cut off raises whatever comes first.
    except Exception as exc:
        raise ModelUnavailable(f"{name} is no graph model of run times: {exc}") from exc
