"""What the data sets of a share hold, without knowing what it means."""

import csv
import gzip
import re
import zlib
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, Field

from common.storage.share import FileInfo, Share

FOLDER = "datasets"

_YEAR = re.compile(r"(?:1[89]|20|21)\d\d")


class DatasetFile(BaseModel):
    """A file of a data set."""

    name: str
    size_bytes: int
    rows: int | None = Field(None, description="Data rows of a CSV file, without the header, if it is on this machine.")
    years: list[int] = Field([], description="Columns that are named by a year.")


def folders_on(share: Path) -> list[Path]:
    """The data sets of a share: each folder below `datasets` that holds files, and `datasets` itself if it does."""
    base = share / FOLDER
    if not base.is_dir():
        return []
    folders = [base, *sorted(path for path in base.iterdir() if path.is_dir())]
    return [folder for folder in folders if _files(folder)]


def describe(folder: Path) -> list[DatasetFile]:
    """The files of a folder; of CSV (`.csv`, `.csv.gz`) what is in them. One that has not changed is not read again."""
    return [_describe(path, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(folder)]


def listed_on(share: Share) -> dict[str, list[DatasetFile]]:
    """The data sets of any share by name, from its listing alone."""
    found: dict[str, list[DatasetFile]] = {}
    for info in share.find(FOLDER):
        *folders, name = info.path.split("/")
        if len(folders) <= 2 and not name.startswith("."):
            found.setdefault(folders[-1], []).append(_listed(info, name))
    return found


def _listed(info: FileInfo, name: str) -> DatasetFile:
    return DatasetFile(name=name, size_bytes=info.size_bytes)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


@lru_cache(maxsize=256)
def _describe(path: Path, size_bytes: int, _changed_ns: int) -> DatasetFile:
    if not path.name.endswith((".csv", ".csv.gz")):
        return DatasetFile(name=path.name, size_bytes=size_bytes)
    rows, years = 0, []
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as text:
            reader = csv.reader(text)
            years = [int(name) for name in next(reader, []) if _YEAR.fullmatch(name.strip())]
            rows = sum(1 for _ in reader)
    # A broken file is listed with what could be read of it; whoever needs it says what is wrong.
    except (OSError, EOFError, csv.Error, zlib.error):
        pass
    return DatasetFile(name=path.name, size_bytes=size_bytes, rows=rows, years=years)
