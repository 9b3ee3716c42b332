"""What a check asks and tells."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from models.hosted.formats.card import Card, NanPolicy

if TYPE_CHECKING:
    from common.settings import ModelSettings


@dataclass(frozen=True)
class Limits:
    """What the process that checks a model may take.

    Parameters
    ----------
    memory_bytes : on top of the libraries that it needs.
    cpu_s, wall_s : seconds.
    unpacked_bytes : of all files of an archive.
    files : in an archive.
    """

    memory_bytes: int = 2_000_000_000
    cpu_s: int = 60
    wall_s: float = 120.0
    unpacked_bytes: int = 4_000_000_000
    files: int = 1000

    @classmethod
    def of(cls, settings: "ModelSettings") -> Self:
        return cls(
            settings.check_memory_bytes, int(settings.check_s + 0.5) or 1, 2 * settings.check_s, settings.unpacked_bytes
        )


@dataclass(frozen=True)
class Asked:
    """What whoever uploads a model says of it.

    Parameters
    ----------
    library_version : where the file does not tell it.
    nan : what becomes of NaN in inputs; by default what the model makes of it: refused where it fails or answers NaN.
    """

    library_version: str | None = None
    nan: NanPolicy | None = None


@dataclass(frozen=True)
class Checked:
    """A model that was loaded and run. Use it by `with`: its files go with it.

    Parameters
    ----------
    artefacts : files of the version to publish, by name; `hosted.json` is among them.
    """

    card: Card
    artefacts: Mapping[str, Path]
    folder: Path

    @property
    def format(self) -> str:
        return self.card.format

    @property
    def library(self) -> str:
        return self.card.library

    @property
    def library_version(self) -> str:
        return self.card.library_version

    @property
    def producer(self) -> str:
        return self.card.producer

    @property
    def signature(self) -> dict[str, list[dict[str, Any]]]:
        """`inputs` and `outputs`, each a list of `name`, `datatype`, `shape`."""
        return self.card.signature

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
