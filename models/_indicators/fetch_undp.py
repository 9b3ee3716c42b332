"""Composite indices of UNDP's Human Development Report: one CSV with a row a country and a column an index and year.

Columns are `iso3`, `country`, `hdicode`, `region`, `hdi_rank_2023` and so on, then `hdi_1990`, `hdi_1991`, …,
`le_f_1990`, …; the last rows are groups of countries, coded like `ZZA.VHHD`. Source: the report's "Documentation and
downloads", all composite indices and components time series.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from common.errors import DependencyFailed, NotFound
from common.plugins import Pull
from models._indicators.fetch_files import Described, Table
from models._indicators.fetch_http import Fetcher

ADDRESS = "https://hdr.undp.org/sites/default/files/2025_HDR/HDR25_Composite_indices_complete_time_series.csv"

_DATASET, _DATASET_NAME = "hdr", "Human Development Report"
_COUNTRY = re.compile(r"[A-Z]{3}")
_COLUMN = re.compile(r"(.+)_([0-9]{4})")
# Places and groups are no quantities.
_RANK = re.compile(r"(?:^|_)(?:rank|rankdiff|group)(?:_|$)")
_SEX = {"_f": "female", "_m": "male"}
# Index -> name, units, category. Columns that a later report adds go by their own name.
_KNOWN = {
    "hdi": ("Human Development Index", "index (0-1)", "Human development"),
    "le": ("Life expectancy at birth", "years", "Health"),
    "eys": ("Expected years of schooling", "years", "Education"),
    "mys": ("Mean years of schooling", "years", "Education"),
    "gnipc": ("Gross national income per capita", "2021 PPP $", "Income"),
    "gni_pc": ("Gross national income per capita", "2021 PPP $", "Income"),
    "gdi": ("Gender Development Index", "index", "Gender"),
    "ihdi": ("Inequality-adjusted Human Development Index", "index (0-1)", "Inequality"),
    "coef_ineq": ("Coefficient of human inequality", "%", "Inequality"),
    "loss": ("Loss in human development due to inequality", "%", "Inequality"),
    "ineq_le": ("Inequality in life expectancy", "%", "Inequality"),
    "ineq_edu": ("Inequality in education", "%", "Inequality"),
    "ineq_inc": ("Inequality in income", "%", "Inequality"),
    "gii": ("Gender Inequality Index", "index (0-1)", "Gender"),
    "mmr": ("Maternal mortality ratio", "deaths per 100,000 live births", "Health"),
    "abr": ("Adolescent birth rate", "births per 1,000 women ages 15-19", "Health"),
    "se": ("Population with at least some secondary education", "% ages 25 and older", "Education"),
    "pr": ("Share of seats in parliament", "%", "Gender"),
    "lfpr": ("Labour force participation rate", "% ages 15 and older", "Work"),
    "phdi": ("Planetary pressures-adjusted Human Development Index", "index (0-1)", "Environment"),
    "diff_hdi_phdi": ("Difference of the planetary pressures-adjusted index from the HDI", "%", "Environment"),
    "co2_prod": ("Carbon dioxide emissions per capita (production)", "tonnes", "Environment"),
    "mf": ("Material footprint per capita", "tonnes", "Environment"),
    "pop_total": ("Population, total", "millions", "Population"),
}


def read(body: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns, in lower case, and the rows of countries; groups of countries are left out.

    Raises:
        DependencyFailed: it is another file.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # As the reports so far were written.
        text = body.decode("latin-1")
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        rows = [dict(zip(header, fields, strict=False)) for fields in lines]
    except csv.Error as exc:
        raise DependencyFailed(f"the report is no CSV file ({exc}); see --base-url") from None
    if not {"iso3", "country"} <= set(header) or not any(map(_COLUMN.fullmatch, header)):
        raise DependencyFailed(
            "the report is no CSV file with columns iso3, country and an index a year (hdi_1990, …); give the address "
            "of the time series of all composite indices with --base-url"
        )
    countries = [row | {"iso3": row.get("iso3", "").strip()} for row in rows]
    return header, [row for row in countries if _COUNTRY.fullmatch(row["iso3"])]


def years_of(header: Sequence[str]) -> dict[str, list[int]]:
    """Index -> the years that have a column, ascending; ranks and groups are left out."""
    found: dict[str, list[int]] = {}
    for name in header:
        column = _COLUMN.fullmatch(name)
        if column and not _RANK.search(column[1]):
            found.setdefault(column[1], []).append(int(column[2]))
    return {index: sorted(years) for index, years in found.items()}


def describe(index: str) -> Described:
    """What is known of a column; `le_f` is the index `le` of women."""
    sex = next((sex for ending, sex in _SEX.items() if index.endswith(ending)), None)
    name, units, category = _KNOWN.get(index[:-2] if sex else index, (index, "", "Other"))
    return Described(
        code=f"{_DATASET}-{index}",
        name=f"{name}, {sex}" if sex else name,
        units=units,
        category=category,
        dimension=sex or "total",
        dataset=_DATASET,
    )


def ask(fetcher: Fetcher, address: str, pull: Pull) -> Table:
    """The indices asked for, all without any. The report is one file, so it is one request."""
    pull.report("the report", 0, 1)
    header, rows = fetcher.get(address, {}, read)
    pull.report("the report", 1, 1)
    available = years_of(header)
    asked = dict.fromkeys(code.lower().removeprefix(f"{_DATASET}-") for code in pull.indicators)
    indices = list(asked or available)
    if unknown := [code for code in indices if code not in available]:
        raise NotFound(f"the report has no index {', '.join(unknown)}; it has {', '.join(available)}")
    years = range(pull.first_year, pull.last_year + 1)
    values = {index: _values(rows, index, years) for index in indices}
    with_data = [index for index in indices if values[index]]
    if not with_data:
        every = [year for index in indices for year in available[index]]
        raise NotFound(
            f"the report has no value of {', '.join(indices)} in {years[0]}:{years[-1]}; its years are "
            f"{min(every)} to {max(every)}"
        )
    observed = {country for index in with_data for country in values[index]}
    return Table(
        years=years,
        indicators=[describe(index) for index in with_data],
        countries={code: row.get("country", "").strip() for row in rows if (code := row["iso3"]) in observed},
        datasets={_DATASET: _DATASET_NAME},
        values={describe(index).code: values[index] for index in with_data},
        without_data=[index for index in indices if not values[index]],
    )


def _values(rows: Sequence[Mapping[str, str]], index: str, years: Sequence[int]) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        for year in years:
            # Gaps are empty, or dots.
            with suppress(ValueError):
                number = float(row.get(f"{index}_{year}") or "")
                if math.isfinite(number):
                    found.setdefault(row["iso3"], {})[year] = number
    return found
