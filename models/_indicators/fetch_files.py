"""The files of a data set, written from what a source said."""

import csv
import gzip
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.clock import new_id
from common.errors import Conflict
from models._indicators.files import OPTIONAL, REQUIRED, SUFFIXES
from models._indicators.parse import COUNTRY, INDICATOR


@dataclass(frozen=True)
class Described:
    """One indicator, as a row of indicatorMeta."""

    code: str
    name: str
    units: str
    category: str
    dimension: str
    dataset: str


@dataclass(frozen=True)
class Table:
    """What a source said.

    Attributes:
        years: ascending, without gaps.
        indicators: those with a value at least.
        countries: code -> name, of those with a value at least.
        datasets: data-set code -> name.
        values: indicator code -> country code -> year -> value; what is missing is absent.
        without_data: codes asked for that have no value in these years.
    """

    years: Sequence[int]
    indicators: Sequence[Described]
    countries: Mapping[str, str]
    datasets: Mapping[str, str]
    values: Mapping[str, Mapping[str, Mapping[int, float]]]
    without_data: Sequence[str] = ()

    @property
    def filled(self) -> float:
        """Share of the cells that have a value."""
        known = sum(len(series) for of_indicator in self.values.values() for series in of_indicator.values())
        return known / (len(self.years) * len(self.indicators) * len(self.countries))


def refuse_to_replace(folder: Path) -> None:
    """Raise Conflict if `folder` holds a file of a data set."""
    held = [path.name for stem in REQUIRED + OPTIONAL for path in _spellings(folder, stem) if path.exists()]
    if held:
        raise Conflict(
            f"{folder} holds {', '.join(held)} already; name another folder (--into), or say --replace to lose them"
        )


def write(folder: Path, table: Table) -> None:
    """Write the files into `folder`, equal bytes for equal content. A reader sees all of them or none, where the folder
    is new or empty; else each file is replaced whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.parent / f".{folder.name}-{new_id()}"
    scratch.mkdir()
    try:
        for stem, rows in _files(table).items():
            _write_rows(scratch / f"{stem}.csv.gz", rows)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            for path in sorted(scratch.iterdir()):
                path.replace(folder / path.name)
                for twin in _spellings(folder, path.name.partition(".")[0]):
                    if twin.name != path.name:
                        twin.unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _files(table: Table) -> dict[str, Iterable[Sequence[object]]]:
    described = sorted(table.indicators, key=lambda one: one.code)
    return {
        "indicatorMeta": [
            (INDICATOR, "Indicator", "Units", "Category", "Subcategory", "Dimension", "Dataset"),
            *((one.code, one.name, one.units, one.category, "none", one.dimension, one.dataset) for one in described),
        ],
        "datasetMeta": [("Dataset Code", "Dataset Name"), *sorted(table.datasets.items())],
        "countryMeta": [(COUNTRY, "Country"), *sorted(table.countries.items())],
        "indicatorData": [
            (COUNTRY, INDICATOR, *table.years),
            *(
                (country, one.code, *(series.get(year, "") for year in table.years))
                for one in described
                for country, series in sorted(table.values[one.code].items())
            ),
        ],
    }


def _write_rows(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        csv.writer(text, lineterminator="\n").writerows(rows)


def _spellings(folder: Path, stem: str) -> list[Path]:
    return [folder / (stem + suffix) for suffix in SUFFIXES]
