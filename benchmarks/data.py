"""The data sets to measure on."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import REPOSITORY
from models._indicators import DataSetError, find_files, write_sample

FOLDER = REPOSITORY.parent / "shared" / "data" / "indicators"
NAMES = ("world", "sids_small")


@dataclass(frozen=True)
class Data:
    """A data set; `real` is false for the generated sample, which no reach was set for."""

    name: str
    folder: Path
    real: bool = True


def find(names: list[str], scratch: Path) -> tuple[list[Data], list[str]]:
    """The data sets asked for, and what to tell: the generated sample stands in for those that are not there."""
    found, absent = [], []
    for name in names:
        try:
            find_files(FOLDER / name)
            found.append(Data(name, FOLDER / name))
        except DataSetError:
            absent.append(name)
    if not absent:
        return found, []
    sample = Path(tempfile.mkdtemp(dir=scratch, prefix="sample-"))
    write_sample(sample)
    note = (
        f"Not there: {', '.join(absent)} (expected in ../shared/data/indicators). "
        "The generated sample was measured instead; it is smaller, so its figures are not judged."
    )
    return [*found, Data("sample", sample, real=False)], [note]
