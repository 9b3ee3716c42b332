"""LightGBM's own text files (`Booster.save_model`)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec
from models.hosted.formats import Found
from models.hosted.formats.card import Card
from models.hosted.formats.needs import needed
from models.hosted.formats.trees import Ints, check_branches

MODEL = "model.txt"


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    lightgbm = needed("lightgbm", "LightGBM")
    _check(path.read_text(encoding="utf-8", errors="replace"))
    try:
        booster = lightgbm.Booster(model_file=str(path), params={"verbose": -1})
        columns = booster.num_feature()
    except (lightgbm.basic.LightGBMError, ValueError, OSError) as exc:
        raise Invalid(f"LightGBM {lightgbm.__version__} cannot open the model: {str(exc)[:200]}") from None
    names = booster.feature_name()
    card = Card(
        format="lightgbm",
        library="lightgbm",
        library_version=str(request.get("library_version") or lightgbm.__version__),
        producer="LightGBM",
        main=MODEL,
        original=MODEL,
        inputs=(TensorSpec("input", "FP64", (-1, columns)),),
        options={"columns": names if names != [f"Column_{n}" for n in range(columns)] else []},
    )
    return Found(card, {MODEL: path})


def _check(text: str) -> None:
    """Compiled code follows the branches without a look at bounds. Leaves are numbered -1, -2, …"""
    head, *trees = text.partition("end of trees")[0].split("\nTree=")
    columns = _ints(head, "max_feature_idx")
    for tree in trees:
        left, right, feature, leaves = (
            _ints(tree, name) for name in ("left_child", "right_child", "split_feature", "num_leaves")
        )
        if not len(columns) or not len(leaves) or leaves[0] < 1:
            raise Invalid("the LightGBM file is damaged: a tree tells not how large it is; write it anew")
        inner = int(leaves[0]) - 1
        if not inner:
            continue
        # As one tree, its leaves after its branches.
        low, high = (np.where(side < 0, inner - side - 1, side) for side in (left, right))
        ends = np.full(int(leaves[0]), -1)
        is_leaf = np.arange(inner + len(ends)) >= inner
        check_branches(
            np.concatenate([low, ends]),
            np.concatenate([high, ends]),
            np.concatenate([feature, ends]),
            is_leaf,
            int(columns[0]) + 1,
        )


def _ints(text: str, name: str) -> Ints:
    _, found, rest = f"\n{text}".partition(f"\n{name}=")
    try:
        return np.array(rest.partition("\n")[0].split() if found else [], np.int64)
    except ValueError:
        raise Invalid(f"the LightGBM file is damaged: {name} are no numbers; write it anew") from None


class _Runner:
    def __init__(self, booster: Any, threads: int) -> None:
        self._predict, self._threads = booster.predict, threads

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"output": np.asarray(self._predict(feeds["input"], num_threads=self._threads))}


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> _Runner:  # noqa: A001 - what a format does
    lightgbm = needed("lightgbm", "LightGBM")
    return _Runner(lightgbm.Booster(model_file=str(files(card.main)), params={"verbose": -1}), threads)
