"""What a folder of CSV files holds, without knowing what it means."""

import csv
import gzip
import re
import zlib
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, Field

_YEAR = re.compile(r"(?:1[89]|20|21)\d\d")


class DatasetFile(BaseModel):
    """A file of a data set."""

    name: str
    size_bytes: int
    rows: int = Field(description="Data rows, without the header.")
    years: list[int] = Field(description="Columns that are named by a year.")


def folders_on(share: Path) -> list[Path]:
    """The data sets of a share: each folder below `datasets` that holds CSV files, and `datasets` itself if it does."""
    base = share / "datasets"
    if not base.is_dir():
        return []
    folders = [base, *sorted(path for path in base.iterdir() if path.is_dir())]
    return [folder for folder in folders if _csv_files(folder)]


def describe(folder: Path) -> list[DatasetFile]:
    """The CSV files (`.csv`, `.csv.gz`) of a folder. A file that has not changed is not read again."""
    return [_describe(path, path.stat().st_size, path.stat().st_mtime_ns) for path in _csv_files(folder)]


def _csv_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.endswith((".csv", ".csv.gz")) and path.is_file())


@lru_cache(maxsize=256)
def _describe(path: Path, size_bytes: int, _changed_ns: int) -> DatasetFile:
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
