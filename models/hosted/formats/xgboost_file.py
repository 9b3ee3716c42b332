"""XGBoost's own files, JSON or UBJSON (`Booster.save_model`)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec
from models.hosted.formats import Found
from models.hosted.formats.card import Card
from models.hosted.formats.needs import needed
from models.hosted.formats.trees import check_branches

_JSON, _UBJ = "model.json", "model.ubj"


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    xgboost = needed("xgboost", "XGBoost")
    with path.open("rb") as file:
        name = _JSON if file.read(2) != b"{L" else _UBJ
    try:
        booster = _booster(xgboost, path, name, 1)
        columns = booster.num_features()
        document = orjson.loads(booster.save_raw("json"))
        version = document.get("version", [])
        _check(document["learner"]["gradient_booster"], columns)
    except (xgboost.core.XGBoostError, ValueError, KeyError, OSError) as exc:
        raise Invalid(f"XGBoost {xgboost.__version__} cannot open the model: {_first(exc)}") from None
    card = Card(
        format="xgboost",
        library="xgboost",
        library_version=str(request.get("library_version") or ".".join(map(str, version)) or xgboost.__version__),
        producer="XGBoost",
        main=name,
        original=name,
        inputs=(TensorSpec("input", "FP32", (-1, columns)),),
        options={"columns": booster.feature_names or []},
    )
    return Found(card, {name: path})


def _check(booster: Mapping[str, Any], columns: int) -> None:
    """Compiled code follows the branches without a look at bounds."""
    # Trees that were dropped at times lie one level deeper; a linear model has none.
    model = booster.get("gbtree", booster).get("model", {})
    for tree in model.get("trees", ()):
        left, right, feature = (
            np.asarray(tree[name], np.int64) for name in ("left_children", "right_children", "split_indices")
        )
        check_branches(left, right, feature, left == -1, columns)


class _Runner:
    def __init__(self, booster: Any) -> None:
        self._predict = booster.inplace_predict

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"output": np.asarray(self._predict(feeds["input"], validate_features=False))}


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> _Runner:  # noqa: A001 - what a format does
    return _Runner(_booster(needed("xgboost", "XGBoost"), files(card.main), card.main, threads))


def _booster(xgboost: Any, path: Path, name: str, threads: int) -> Any:
    booster = xgboost.Booster({"nthread": threads})
    # By its bytes: a path's ending would have to tell the format, and an artefact's path has none.
    booster.load_model(bytearray(path.read_bytes()))
    booster.set_param({"nthread": threads})
    return booster


def _first(exc: Exception) -> str:
    return str(exc).strip().splitlines()[0][-200:] if str(exc).strip() else type(exc).__name__
