"""scikit-learn estimators in skops files (`skops.io.dump`): no pickle, and only types that are known to be harmless.

Where skl2onnx can compile an estimator and the outcome answers the same, that is served instead.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import Invalid
from common.registry.skops_types import TRUSTED
from common.serving.tensors import Array, TensorSpec
from models.hosted.formats import Found
from models.hosted.formats.card import Card
from models.hosted.formats.compiled import compiled
from models.hosted.formats.trees import check_trees, thresholds

MODEL = "model.skops"
_TOLD_CHARS = 300
_told = threading.local()


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    estimator = load(path)
    check_trees(estimator)
    inputs, values, columns = _inputs(estimator)
    version = _library_version(estimator)
    card = Card(
        format="skops",
        library="scikit-learn",
        library_version=str(request.get("library_version") or version or _installed()),
        producer=f"skops {_skops_version()}",
        main=MODEL,
        original=MODEL,
        inputs=inputs,
        labels=_labels(estimator),
        options={"columns": columns},
        notes=_notes(version),
    )
    found = Found(card, {MODEL: path}, values=values)
    branches = () if hasattr(estimator, "steps") else thresholds(estimator)
    return replace(found, alternatives=compiled(estimator, found, folder), branches=branches)


def load(path: Path) -> Any:
    """The estimator. Raises Invalid."""
    import skops.io

    try:
        untrusted = [name for name in skops.io.get_untrusted_types(file=path) if name not in TRUSTED]
        if untrusted:
            raise Invalid(
                f"the file holds {', '.join(untrusted[:5])[:_TOLD_CHARS]}, which is none of the types that are known "
                "to be harmless (those of scikit-learn, NumPy and SciPy), and was not opened; leave it out of the "
                "pipeline, or export the model as ONNX"
            )
        with warnings.catch_warnings():
            # Of versions that differ the notes tell.
            warnings.simplefilter("ignore")
            return skops.io.load(path, trusted=list(TRUSTED))
    except (Invalid, MemoryError):
        raise
    except Exception as exc:  # noqa: BLE001 - whatever damaged files make it raise
        raise Invalid(
            f"the skops file cannot be read ({type(exc).__name__}: {str(exc)[:_TOLD_CHARS]}); write it anew with the "
            f"scikit-learn that runs here, {_installed()}"
        ) from None


class SkopsRunner:
    """An estimator; `label` and `probabilities`, `variable` of a regression, as skl2onnx names them."""

    def __init__(self, estimator: Any, inputs: tuple[TensorSpec, ...], columns: list[str]) -> None:
        self._estimator = estimator
        self._inputs = inputs
        self._columns = columns
        self._is_frame = len(inputs) > 1
        self._classes = hasattr(estimator, "classes_") or hasattr(estimator, "predict_proba")
        self._predicts = hasattr(estimator, "predict")
        self._proba = hasattr(estimator, "predict_proba")

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        _one_thread()
        x = self._x(feeds)
        if not self._predicts:
            found = self._estimator.transform(x)
            return {"variable": np.asarray(found.todense() if hasattr(found, "todense") else found)}
        predicted = _plain(self._estimator.predict(x))
        if not self._classes:
            return {"variable": predicted}
        if self._proba:
            proba = self._estimator.predict_proba(x)
            if not isinstance(proba, list):
                return {"label": predicted, "probabilities": np.asarray(proba)}
        return {"label": predicted}

    def _x(self, feeds: Mapping[str, Array]) -> Any:
        if self._is_frame:
            import pandas as pd

            return pd.DataFrame(
                {
                    spec.name: _texts(feeds[spec.name]) if spec.datatype == "BYTES" else feeds[spec.name].ravel()
                    for spec in self._inputs
                }
            )
        found = feeds[self._inputs[0].name]
        if self._inputs[0].datatype == "BYTES":
            return _texts(found)
        if self._columns:
            import pandas as pd

            return pd.DataFrame(found, columns=self._columns)
        return found


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> SkopsRunner:  # noqa: A001 - what a format does
    estimator = load(files(card.main))
    check_trees(estimator)
    _on_this_thread(estimator)
    return SkopsRunner(estimator, card.inputs, list(card.options.get("columns", ())))


def _one_thread() -> None:
    """Keep OpenMP to the thread that asks; it holds for each thread apart, and is told once."""
    if not getattr(_told, "once", False):
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=1)
        _told.once = True


def _on_this_thread(estimator: Any) -> None:
    """A process or a thread for each tree takes longer than the prediction."""
    if hasattr(estimator, "get_params"):
        jobs = [name for name in estimator.get_params() if name.rpartition("__")[2] == "n_jobs"]
        estimator.set_params(**dict.fromkeys(jobs, 1))


def _inputs(estimator: Any) -> tuple[tuple[TensorSpec, ...], dict[str, list[Any]], list[str]]:
    """Inputs, values that they may take where not every number or text will do, and names of an input's columns."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    choices = dict(_choices(estimator))
    if choices and not names:
        count = int(getattr(estimator, "n_features_in_", 0))
        if len(choices) == count:
            return (TensorSpec("input", "BYTES", (-1, count)),), {"input": sorted(set().union(*choices.values()))}, []
        raise Invalid(
            "some columns are texts and others numbers, but the estimator does not know their names; fit it with a "
            "pandas DataFrame"
        )
    if choices:
        known = {names[key] if isinstance(key, int) else key: found for key, found in choices.items()}
        specs = tuple(TensorSpec(name, "BYTES" if name in known else "FP64", (-1, 1)) for name in names)
        return specs, known, []
    width: int | None = getattr(estimator, "n_features_in_", None)
    if width is None:
        return (TensorSpec("input", "BYTES", (-1,)),), {"input": [b"a text", b"another text of some words"]}, []
    return (TensorSpec("input", "FP64", (-1, int(width))),), {}, names


def _choices(estimator: Any) -> Iterator[tuple[Any, list[bytes]]]:
    """Columns that hold texts, by name or place, and texts that the encoders of a ColumnTransformer know."""
    steps = [step for _, step in getattr(estimator, "steps", ())]
    for step in (estimator, *steps):
        if hasattr(step, "transformers_"):
            for _, transformer, columns in step.transformers_:
                yield from _of_encoder(transformer, columns)
            return
        found = list(_of_encoder(step, range(int(getattr(step, "n_features_in_", 0) or 0))))
        if found:
            yield from found
            return


def _of_encoder(transformer: Any, columns: Any) -> Iterator[tuple[Any, list[bytes]]]:
    for _, step in getattr(transformer, "steps", [("", transformer)]):
        categories = getattr(step, "categories_", None)
        if categories is not None and not isinstance(columns, slice | str):
            for column, known in zip(columns, categories, strict=False):
                if known.dtype.kind in "OU":
                    yield (
                        int(column) if isinstance(column, int | np.integer) else str(column),
                        [str(one).encode() for one in known if isinstance(one, str)][:20] or [b"a"],
                    )


def _texts(array: Array) -> Any:
    flat = [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array.ravel()]
    made = np.empty(len(flat), object)
    made[:] = flat
    return made.reshape(array.shape) if array.ndim == 2 and array.shape[1] > 1 else made


def _plain(predicted: Any) -> Array:
    """Labels as the protocol knows them."""
    array = np.asarray(predicted)
    if array.dtype.kind in "OUS":
        made = np.empty(array.shape, object)
        made[...] = [str(one).encode() for one in array.ravel()] if array.ndim == 1 else array
        return made
    return array


def _labels(estimator: Any) -> tuple[str, ...]:
    classes = getattr(estimator, "classes_", None)
    return tuple(str(one) for one in classes) if isinstance(classes, np.ndarray) else ()


def _library_version(estimator: Any) -> str | None:
    """Of the scikit-learn that fitted it, which every estimator's state tells; skops drops it from some."""
    found = getattr(estimator, "__dict__", {}).get("_sklearn_version")
    return str(found) if found else None


def _notes(version: str | None) -> tuple[str, ...]:
    here = _installed()
    if version is None or version.split(".")[:2] == here.split(".")[:2]:
        return ()
    return (f"fitted with scikit-learn {version}, served with {here}: compare some answers with your own",)


def _installed() -> str:
    import sklearn

    return str(sklearn.__version__)


def _skops_version() -> str:
    import skops

    return str(skops.__version__)
