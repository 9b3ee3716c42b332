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

MODEL = "model.txt"


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    lightgbm = needed("lightgbm", "LightGBM")
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


class _Runner:
    def __init__(self, booster: Any, threads: int) -> None:
        self._predict, self._threads = booster.predict, threads

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"output": np.asarray(self._predict(feeds["input"], num_threads=self._threads))}


def open(card: Card, files: Callable[[str], Path], threads: int) -> _Runner:  # noqa: A001 - what a format does
    lightgbm = needed("lightgbm", "LightGBM")
    return _Runner(lightgbm.Booster(model_file=str(files(card.main)), params={"verbose": -1}), threads)
