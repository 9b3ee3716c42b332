"""Pickle and joblib files as files that can be uploaded, for `atoll registry convert`.

It runs on the machine of whoever has the file, and trusts it: to open a pickle is to run it. Servers never do.
"""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import Conflict, Invalid, NotFound
from common.registry.skops_types import TRUSTED

_TOLD_CHARS = 300
_SHOWN = 5


@dataclass(frozen=True)
class Converted:
    """What was written. kind: of the file, e.g. `skops`; what: class of the model."""

    path: Path
    kind: str
    what: str


def convert(path: Path, to: Path | None = None, *, force: bool = False) -> Converted:
    """Write a model's pickle or joblib file anew: scikit-learn as skops, LightGBM and XGBoost in formats of their own.

    Parameters
    ----------
    to : by default beside `path`, with the ending of its format.
    force : overwrite it.

    Raises
    ------
    NotFound, Conflict
    Invalid
        The file cannot be opened here, or holds nothing that can be served; the detail says what to do instead.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    model = _unwrapped(_load(path))
    what = type(model).__name__
    kind, ending, write = _writer(model)
    target = to or path.with_suffix(ending)
    if target.exists() and not force:
        raise Conflict(f"{target} is there already; name another file by --output, or overwrite it by --force")
    scratch = target.with_name(f".{target.name}.part{ending}")
    try:
        write(scratch)
        if kind == "skops":
            _check_types(scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return Converted(target, kind, what)


def _load(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        raise Invalid(
            f"{path.name} is no pickle but an archive; a file of torch.save is exported by `torch.onnx.export`"
        )
    try:
        import joblib

        # Plain pickles too.
        return joblib.load(path)
    except ModuleNotFoundError as exc:
        raise Invalid(f"{path.name} needs the package {exc.name!r}, which is not installed here") from None
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError) as exc:
        raise Invalid(
            f"{path.name} cannot be opened as pickle or joblib ({type(exc).__name__}: {str(exc)[:_TOLD_CHARS]}); open "
            "it with the versions of the packages that it was written with"
        ) from None


def _unwrapped(model: Any) -> Any:
    """The model in a dictionary of one, as some write it."""
    if isinstance(model, dict):
        found = [value for value in model.values() if _is_model(value)]
        if len(found) == 1:
            return found[0]
        raise Invalid(f"the file holds a dictionary of {len(model)} with {len(found)} models in it; write one alone")
    if not _is_model(model):
        raise Invalid(f"the file holds a {type(model).__name__}, which predicts nothing")
    return model


def _is_model(found: Any) -> bool:
    return callable(getattr(found, "predict", None)) or callable(getattr(found, "transform", None))


def _writer(model: Any) -> tuple[str, str, Callable[[Path], Any]]:
    """Kind, ending, and what writes it."""
    root = type(model).__module__.partition(".")[0]
    if root == "lightgbm":
        booster = getattr(model, "booster_", model)
        return "lightgbm", ".txt", lambda target: booster.save_model(str(target))
    if root == "xgboost":
        return "xgboost", ".ubj", lambda target: model.save_model(str(target))
    if root in {"torch", "tensorflow", "keras"}:
        raise Invalid(f"{type(model).__name__} is a model of {root}; export it as ONNX (`torch.onnx.export`, tf2onnx)")
    if hasattr(model, "get_params"):
        return "skops", ".skops", lambda target: _dump(model, target)
    raise Invalid(
        f"{type(model).__name__} of {type(model).__module__} is no estimator of scikit-learn, LightGBM or XGBoost; "
        "export it as ONNX"
    )


def _dump(model: Any, target: Path) -> None:
    import skops.io

    try:
        skops.io.dump(model, target)
    except Exception as exc:  # noqa: BLE001 - whatever an estimator of any origin makes it raise
        raise Invalid(f"skops cannot write it: {type(exc).__name__}: {str(exc)[:_TOLD_CHARS]}") from None


def _check_types(path: Path) -> None:
    import skops.io

    strange = [name for name in skops.io.get_untrusted_types(file=path) if name not in TRUSTED]
    if strange:
        raise Invalid(
            f"the model holds {', '.join(strange[:_SHOWN])}, code that a server would have to run and does not know; "
            "leave it out of the pipeline (transform the data before), or export the model as ONNX by skl2onnx"
        )
