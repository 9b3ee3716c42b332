"""The World Bank's Indicators API, version 2.

An answer is a list: first a header (`page`, `pages`, `total`, `lastupdated`), then the rows, null for none; or a list
with one `message` where something is wrong, under status 200 too. Source: the Bank's developer information, "API basic
call structures" and "New features and enhancements in the V2 API".
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from common.errors import DependencyFailed, Invalid, NotFound
from common.plugins import Pull
from models._indicators.fetch_files import Described, Table
from models._indicators.fetch_http import Fetcher

ADDRESS = "https://api.worldbank.org/v2"

_ROWS_A_PAGE = 5000
_AGGREGATES = "NA"  # the region of World, Arab World, Low income, …
_DEVELOPMENT_INDICATORS = "2"  # the source that everybody calls WDI
_CODE = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,100}")
_YEAR = re.compile(r"[0-9]{4}")
_IN_BRACKETS = re.compile(r"\(([^()]+)\)")
_UNIT = re.compile(r"%|\$|\bper\b|\bscale\b")
_DIMENSION = re.compile(r"\b(female|male|rural|urban|total)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """One answer. `edition` is the same in all pages that belong together."""

    pages: int
    edition: tuple[object, ...]
    rows: Sequence[Mapping[str, Any]]


class Refused(NotFound):
    """The API said in words why it gives no rows."""


def read_page(body: bytes) -> Page:
    """Parse an answer.

    Raises:
        ValueError: it is none of the API's.
        Refused: it is a message of the API.
    """
    told = orjson.loads(body)
    if not isinstance(told, list) or not told or not isinstance(told[0], dict):
        raise ValueError("not a list with a header")
    header = told[0]
    if "message" in header:
        raise Refused("; ".join(_words(message) for message in header["message"]))
    if len(told) != 2 or "pages" not in header or not isinstance(told[1], list | None):
        raise ValueError("not a header and rows")
    count = int(str(header["pages"]))
    return Page(
        count,
        (count, header.get("total"), header.get("lastupdated")),
        [row for row in told[1] or () if isinstance(row, dict)],
    )


def read_countries(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Codes of two and of three letters -> (code of three letters, name), without aggregates of countries."""
    found = {}
    for row in rows:
        if row.get("id") and (row.get("region") or {}).get("id") != _AGGREGATES:
            country = (row["id"], (row.get("name") or row["id"]).strip())
            found[row["id"]] = found[row.get("iso2Code") or row["id"]] = country
    return found


def read_description(code: str, row: Mapping[str, Any]) -> tuple[Described, str]:
    """The indicator `code`, and the name of its data set. Units that are not told stand in the name, mostly."""
    name = (row.get("name") or code).strip()
    source = row.get("source") or {}
    number = str(source.get("id") or "")
    dataset = "wdi" if number in ("", _DEVELOPMENT_INDICATORS) else f"wb{number}"
    dimension = _DIMENSION.search(name)
    topics = [topic["value"].strip() for topic in row.get("topics") or () if topic.get("value")]
    # It stands beside the topic proper of very many.
    topics.sort(key=lambda topic: topic == "Climate Change")
    described = Described(
        code=f"{dataset}-{code}",
        name=name,
        units=(row.get("unit") or "").strip() or units_in(name),
        category=topics[0] if topics else "Other",
        dimension=dimension[1].lower() if dimension else "none",
        dataset=dataset,
    )
    return described, source.get("value") or "World Development Indicators"


def units_in(name: str) -> str:
    """The units that a name tells in brackets: the first that look like some, else the first; "" without brackets."""
    told = _IN_BRACKETS.findall(name)
    return next(filter(_UNIT.search, told), told[0] if told else "")


def read_values(
    rows: Sequence[Mapping[str, Any]], countries: Mapping[str, tuple[str, str]], years: Sequence[int]
) -> dict[str, dict[int, float]]:
    """Country code -> year -> value; without aggregates, months, quarters and nulls."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        # Not every source fills the code of three letters.
        country = countries.get(row.get("countryiso3code") or (row.get("country") or {}).get("id") or "")
        date, value = str(row.get("date")), row.get("value")
        if country is None or not isinstance(value, int | float) or not _YEAR.fullmatch(date) or int(date) not in years:
            continue
        if math.isfinite(value):
            found.setdefault(country[0], {})[int(date)] = float(value)
    return found


def ask(fetcher: Fetcher, address: str, pull: Pull) -> Table:
    """All that was asked for. What an indicator is comes first, so that a wrong code is told before much is asked."""
    codes = _checked(pull.indicators)
    years = range(pull.first_year, pull.last_year + 1)
    done = 0

    def step(what: str, ahead: int) -> None:
        nonlocal done
        pull.report(what, done, done + ahead)
        done += 1

    described, unknown = {}, []
    for left, code in zip(range(len(codes), 0, -1), codes, strict=True):
        step(f"{code}: description", left + len(codes) + 1)
        try:
            rows = _all(fetcher, f"{address}/indicator/{quote(code)}", {}, lambda _page, _pages: None)
        except Refused:
            rows = []
        if rows:
            described[code] = read_description(code, rows[0])
        else:
            unknown.append(code)
    if unknown:
        raise NotFound(f"the World Bank has no indicator {', '.join(unknown)}; see data.worldbank.org/indicator")

    step("countries", len(codes) + 1)
    countries = read_countries(_all(fetcher, f"{address}/country", {}, lambda _page, _pages: None))

    values: dict[str, dict[str, dict[int, float]]] = {}
    dates = {"date": f"{pull.first_year}:{pull.last_year}"}
    for left, code in zip(range(len(codes), 0, -1), codes, strict=True):

        def turned(page: int, pages: int, code: str = code, left: int = left) -> None:
            step(f"{code}: page {page}" + (f" of {pages}" if pages else ""), left + max(0, pages - page))

        try:
            rows = _all(fetcher, f"{address}/country/all/indicator/{quote(code)}", dates, turned)
        except Refused as exc:
            raise NotFound(f"the World Bank gives no values of {code}: {exc.detail}") from None
        values[code] = read_values(rows, countries, years)
    pull.report("done", done, done)
    return _table(years, described, countries, values)


def _table(
    years: Sequence[int],
    described: Mapping[str, tuple[Described, str]],
    countries: Mapping[str, tuple[str, str]],
    values: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> Table:
    with_data = [code for code in described if values[code]]
    if not with_data:
        raise NotFound(f"the World Bank has no value of {', '.join(described)} in {years[0]}:{years[-1]}")
    observed = {country for code in with_data for country in values[code]}
    return Table(
        years=years,
        indicators=[described[code][0] for code in with_data],
        countries={code: countries[code][1] for code in observed},
        datasets={described[code][0].dataset: described[code][1] for code in with_data},
        values={described[code][0].code: values[code] for code in with_data},
        without_data=[code for code in described if not values[code]],
    )


def _all(
    fetcher: Fetcher, address: str, params: Mapping[str, str], turned: Callable[[int, int], object]
) -> list[Mapping[str, Any]]:
    """The rows of all pages, of one edition; `turned` is told of each page before it is asked for, and of how many."""
    for fresh in (False, True):
        pages: list[Page] = []
        while not pages or len(pages) < pages[0].pages:
            number = len(pages) + 1
            turned(number, pages[0].pages if pages else 0)
            query = {**params, "format": "json", "per_page": str(_ROWS_A_PAGE), "page": str(number)}
            pages.append(fetcher.get(address, query, read_page, fresh=fresh))
        # Pages kept from before an update do not fit those after it.
        if len({page.edition for page in pages}) == 1:
            return [row for page in pages for row in page.rows]
    raise DependencyFailed(f"{address} changes while it is read; try again later")


def _checked(codes: Sequence[str]) -> Sequence[str]:
    if not codes:
        raise Invalid("name the indicators: --indicators SP.POP.TOTL,NY.GDP.PCAP.CD; data.worldbank.org lists them")
    wrong = [code for code in codes if not _CODE.fullmatch(code)]
    if wrong:
        raise Invalid(f"{wrong[0]!r} is no code of an indicator; they look like SP.POP.TOTL")
    return codes


def _words(message: object) -> str:
    if not isinstance(message, dict):
        return str(message)
    return str(message.get("value") or message.get("key") or message)
