"""The formats of uploaded models: one module each, and what they have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from common.serving.tensors import Array, TensorSpec
from models.hosted.formats.card import Card


class Runner(Protocol):
    """A model that is open. Threads may share it."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; a pipeline of scikit-learn may take a second, a small graph takes microseconds."""
        ...


@dataclass(frozen=True)
class Found:
    """A model as its format read it, before it was run.

    Parameters
    ----------
    card : what the file says; outputs may be missing, they are seen when it runs.
    artefacts : files to publish, by name.
    alternatives : other ways to serve the same; the first one that answers the same is taken.
    values : that a text input may take, by input.
    branches : features and values at which its trees branch, where rows reach the trees as they are.
    """

    card: Card
    artefacts: Mapping[str, Path]
    alternatives: "tuple[Found, ...]" = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    branches: Sequence[tuple[int, float]] = ()


class Format(Protocol):
    """What a module of this package has."""

    def read(self, path: Path, request: Mapping[str, Any], folder: Path) -> Found:
        """Look at a file, in the process of a check. Raises Invalid."""
        ...

    def open(self, card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> Runner:
        """Open the artefacts of a checked model, in the host too. May raise anything.

        Parameters
        ----------
        cache : folder for what processes share of large models; None in a check.
        """
        ...


_MODULES = {
    "onnx": "onnx_file",
    "zip_onnx": "onnx_zip",
    "skops": "skops_file",
    "lightgbm": "lightgbm_file",
    "xgboost": "xgboost_file",
    "huggingface": "huggingface_zip",
}


def format_of(name: str) -> Format:
    """The module of a format, imported when it is first asked for. Raises KeyError."""
    return cast("Format", import_module(f"{__name__}.{_MODULES[name]}"))


__all__ = ["Card", "Format", "Found", "Runner", "TensorSpec", "format_of"]
