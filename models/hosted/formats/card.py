"""What is known of a model that was checked: `hosted.json` among a version's artefacts, by which it is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from common.serving.tensors import TensorSpec

CARD = "hosted.json"
NanPolicy = Literal["allow", "refuse"]


@dataclass(frozen=True)
class Card:
    """A checked model.

    Parameters
    ----------
    format : which module of `models.hosted.formats` opens it.
    library, library_version : what it was made with, as far as its file tells; else what opens it.
    producer : what wrote the file.
    main : artefact that is opened.
    original : artefact that was uploaded, for downloads.
    files : artefact by the name under which the model looks for it.
    memory_bytes : that the process which checked it grew by, loading and running it.
    run_s : seconds of a run of one row.
    batches : rows of different callers may be run together: the first dimension of everything is free, and a row's
        outputs were the same alone and among others.
    nan : what becomes of NaN in an input.
    labels : names of the classes, in the order of an output's columns.
    options : more that its format needs to open it.
    notes : what whoever uploaded it should know.
    """

    format: str
    library: str
    library_version: str
    producer: str
    main: str
    original: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    memory_bytes: int = 0
    run_s: float = 0.0
    batches: bool = False
    nan: NanPolicy = "allow"
    labels: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def signature(self) -> dict[str, list[dict[str, Any]]]:
        """Inputs and outputs as JSON: `name`, `datatype`, `shape`."""
        return {"inputs": specs_json(self.inputs), "outputs": specs_json(self.outputs)}

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), **self.signature}

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises ValueError, KeyError or TypeError where the file is none that `as_json` was written to."""
        return cls.from_json(orjson.loads(file.read_bytes()))

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        known = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        made = cls(**known)
        return replace(
            made,
            inputs=_specs(given["inputs"]),
            outputs=_specs(given["outputs"]),
            labels=tuple(made.labels),
            notes=tuple(made.notes),
        )


def specs_json(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)} for spec in specs]


def _specs(given: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(one["name"], one["datatype"], tuple(one["shape"])) for one in given)
