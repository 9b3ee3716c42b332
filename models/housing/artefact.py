"""What a training publishes, and what lies in the box: three files."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from common.errors import ModelUnavailable
from models.housing.boosted import BoostedTrees
from models.housing.svr import RadialSvr

Floats = NDArray[np.float64]

SVR, TREES, CARD = FILES = ("svr.npz", "boosted.onnx", "model.json")
BOX: Final = Path(__file__).parent / "box"


@dataclass(frozen=True, eq=False)
class Trained:
    """Both models.

    Parameters
    ----------
    background : (n, 8) districts of the training data, with which explanations compare.
    card : where they come from, and what was measured.
    """

    svr: RadialSvr
    boosted: BoostedTrees
    background: Floats
    card: Mapping[str, Any]

    def files(self) -> dict[str, bytes]:
        """By their names; `read` takes their paths."""
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, background=self.background, **self.svr.arrays())
        card = dict(self.card) | {"margin": self.boosted.margin}
        text = orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return {SVR: packed.getvalue(), TREES: self.boosted.graph, CARD: text}


def read(files: Mapping[str, Path]) -> Trained:
    """The models of three files, by their names.

    Raises
    ------
    ModelUnavailable
        A file is missing or no such model; the text names it.
    """
    name = CARD
    try:
        card = orjson.loads(files[CARD].read_bytes())
        margin = float(card["margin"])
        name = SVR
        # Arrays only: no pickle is ever loaded.
        with np.load(io.BytesIO(files[SVR].read_bytes()), allow_pickle=False) as arrays:
            svr, background = RadialSvr.of_arrays(arrays), arrays["background"]
        name = TREES
        boosted = BoostedTrees(files[TREES].read_bytes(), margin)
        boosted.open()
        return Trained(svr, boosted, background, card)
    except FileNotFoundError:
        raise ModelUnavailable(f"{name} is missing: {files[name]}") from None
    # ONNX Runtime has errors of its own, which share no class but this.
    except Exception as exc:
        raise ModelUnavailable(f"{name} is no model of housing prices: {exc}") from exc
