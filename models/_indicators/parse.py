"""CSV files to arrays, row by row: memory is the result's, and every complaint has its line."""

import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models._indicators.errors import refuse, shown
from models._indicators.files import rows

COUNTRY, INDICATOR = "Country Code", "Indicator Code"
# Fields of the result and the columns of indicatorMeta they come from
META_COLUMNS = {
    "names": "Indicator",
    "units": "Units",
    "categories": "Category",
    "subcategories": "Subcategory",
    "dimensions": "Dimension",
    "dataset_codes": "Dataset",
}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", ".."})
MAX_CELLS = 250_000_000  # 2 GB of values: more is a mistake in the codes, not a data set

_YEAR = re.compile(r"[0-9]{4}")
_MARKS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, eq=False)
class Content:
    """What the files say. The same whether it was parsed or comes from the cache.

    Attributes:
        countries, indicators: sorted codes; years: ascending.
        values: (n_years, n_countries, n_indicators) float64, NaN = missing, read-only.
        meta: the keys of META_COLUMNS -> one text an indicator.
        datasets: data-set code -> name. country_names: country code -> name.
        sids_marks: country code -> marked true or false; unmarked codes are absent.
    """

    countries: tuple[str, ...]
    indicators: tuple[str, ...]
    years: tuple[int, ...]
    values: NDArray[np.float64]
    meta: Mapping[str, tuple[str, ...]]
    datasets: Mapping[str, str]
    country_names: Mapping[str, str]
    sids_marks: Mapping[str, bool]


def parse(paths: Mapping[str, Path]) -> Content:
    """Parse a data set's files (as `find_files` gives them).

    Raises:
        DataSetError: a file breaks the format; names the file, line and column.
    """
    countries, indicators, years, values = _parse_data(paths["indicatorData"])
    country_names, sids_marks = _parse_countries(paths.get("countryMeta"))
    return Content(
        countries=countries,
        indicators=indicators,
        years=years,
        values=values,
        meta=_parse_meta(paths["indicatorMeta"], indicators),
        datasets={
            code: name or code
            for code, (name,) in _keyed(paths["datasetMeta"], "Dataset Code", ["Dataset Name"]).items()
        },
        country_names=country_names,
        sids_marks=sids_marks,
    )


def _parse_data(
    path: Path,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], NDArray[np.float64]]:
    source = rows(path)
    header = _header(path, source, [COUNTRY, INDICATOR])
    at_country, at_indicator = header.index(COUNTRY), header.index(INDICATOR)
    year_columns = sorted((int(name), at) for at, name in enumerate(header) if _YEAR.fullmatch(name))
    if not year_columns:
        raise refuse(path, "no year column; expected one column a year, headed by four digits such as 2015")
    at_years = [at for _, at in year_columns]

    country_ids: dict[str, int] = {}
    indicator_ids: dict[str, int] = {}
    row_countries, row_indicators, row_lines, cells = array("q"), array("q"), array("q"), array("d")
    for line, fields in _full_rows(path, source, header):
        country, indicator = fields[at_country].strip(), fields[at_indicator].strip()
        if not country or not indicator:
            raise refuse(path, "empty; expected a code", line=line, column=INDICATOR if country else COUNTRY)
        row_countries.append(country_ids.setdefault(country, len(country_ids)))
        row_indicators.append(indicator_ids.setdefault(indicator, len(indicator_ids)))
        row_lines.append(line)
        texts = [fields[at] for at in at_years]
        try:
            numbers = [float(text) if text else math.nan for text in texts]
            plain = "_" not in "".join(texts)  # float() reads 1_000 as a Python literal
        except ValueError:
            plain = False
        cells.extend(numbers if plain else [_number(path, line, header[at], fields[at]) for at in at_years])
    if not row_lines:
        raise refuse(path, "has a header but no rows; expected one row a country and indicator")

    of_country, of_indicator = np.frombuffer(row_countries, np.int64), np.frombuffer(row_indicators, np.int64)
    table = np.frombuffer(cells, np.float64).reshape(len(row_lines), len(at_years))
    _refuse_infinite(path, table, row_lines, [header[at] for at in at_years])
    countries, country_ranks = _sorted_codes(country_ids)
    indicators, indicator_ranks = _sorted_codes(indicator_ids)
    _refuse_repeated(path, of_country * len(indicators) + of_indicator, row_lines)
    shape = (len(at_years), len(countries), len(indicators))
    if math.prod(shape) > MAX_CELLS:
        raise refuse(
            path,
            f"{shape[0]} years x {shape[1]} countries x {shape[2]} indicators are more than {MAX_CELLS} cells;"
            " are the code columns right?",
        )
    values = np.full(shape, np.nan)
    values[:, country_ranks[of_country], indicator_ranks[of_indicator]] = table.T
    values.setflags(write=False)
    return countries, indicators, tuple(year for year, _ in year_columns), values


def _parse_meta(path: Path, indicators: Sequence[str]) -> dict[str, tuple[str, ...]]:
    known = _keyed(path, INDICATOR, [META_COLUMNS["names"]], [*META_COLUMNS.values()][1:])
    nothing = [""] * len(META_COLUMNS)
    columns = zip(*(known.get(code, nothing) for code in indicators), strict=True)
    meta = dict(zip(META_COLUMNS, columns, strict=True))
    meta["names"] = tuple(name or code for name, code in zip(meta["names"], indicators, strict=True))
    return meta


def _parse_countries(path: Path | None) -> tuple[dict[str, str], dict[str, bool]]:
    if path is None:
        return {}, {}
    names: dict[str, str] = {}
    marks: dict[str, bool] = {}
    for code, (name, mark) in _keyed(path, COUNTRY, [], ["Country", "SIDS"]).items():
        if name:
            names[code] = name
        if mark:
            if mark.lower() not in _MARKS:
                raise refuse(path, f"country {code} has {shown(mark)}; expected true or false", column="SIDS")
            marks[code] = _MARKS[mark.lower()]
    return names, marks


def _keyed(path: Path, key: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, list[str]]:
    """Rows of a small table by their key: the columns asked for, in order, "" for an optional one that is absent."""
    source = rows(path)
    header = _header(path, source, [key, *required])
    at_key = header.index(key)
    at = [header.index(name) if name in header else None for name in (*required, *optional)]
    table: dict[str, list[str]] = {}
    for line, fields in _full_rows(path, source, header):
        code = fields[at_key].strip()
        if not code:
            raise refuse(path, "empty; expected a code", line=line, column=key)
        if code in table:
            raise refuse(path, f"{shown(code)} is there twice; expected one row a code", line=line, column=key)
        table[code] = ["" if i is None else fields[i].strip() for i in at]
    return table


def _header(path: Path, source: Iterator[tuple[int, list[str]]], required: Sequence[str]) -> list[str]:
    first = next(source, None)
    if first is None:
        raise refuse(path, f"is empty; expected a header with {', '.join(required)}")
    header = [name.strip() for name in first[1]]
    for name in required:
        if name not in header:
            raise refuse(path, f"no column {shown(name)}; found {shown(', '.join(header), 120)}")
    repeated = {name for name in header if header.count(name) > 1 and (name in required or _YEAR.fullmatch(name))}
    if repeated:
        raise refuse(path, f"column {shown(min(repeated))} is there twice; expected each once")
    return header


def _full_rows(
    path: Path, source: Iterator[tuple[int, list[str]]], header: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    for line, fields in source:
        if len(fields) != len(header):
            raise refuse(path, f"{len(fields)} fields; expected {len(header)}, as in the header", line=line)
        yield line, fields


def _number(path: Path, line: int, column: str, text: str) -> float:
    if text.strip().lower() in MISSING:
        return math.nan
    if "_" not in text:
        with suppress(ValueError):
            return float(text)
    raise refuse(path, f"{shown(text)} is not a number; expected one, or an empty cell", line=line, column=column)


def _refuse_infinite(path: Path, table: NDArray[np.float64], lines: Sequence[int], columns: Sequence[str]) -> None:
    bad = np.argwhere(np.isinf(table))
    if len(bad):
        row, column = bad[0]
        raise refuse(
            path,
            "infinite; expected a finite number, or an empty cell",
            line=lines[row],
            column=columns[column],
        )


def _refuse_repeated(path: Path, keys: NDArray[np.int64], lines: Sequence[int]) -> None:
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(again):
        first, second = order[again[0]], order[again[0] + 1]
        raise refuse(
            path,
            f"same country and indicator as line {lines[first]}; expected one row for both together",
            line=lines[second],
        )


def _sorted_codes(ids: Mapping[str, int]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Sorted codes, and the place in them of each id."""
    codes = tuple(sorted(ids))
    ranks = np.empty(len(codes), np.int64)
    ranks[[ids[code] for code in codes]] = np.arange(len(codes))
    return codes, ranks
