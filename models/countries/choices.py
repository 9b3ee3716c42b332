"""What may be asked: data sets, categories, years, countries; and the check of a request.

All are cheap, and kept per data set, so that they may run on the event loop.
"""

from functools import lru_cache
from urllib.parse import urlencode

import numpy as np

from common.errors import Invalid
from models._clustering.rows import Ints
from models._indicators import IndicatorSet


@lru_cache(maxsize=8)
def _categories(data: IndicatorSet) -> dict[str, dict[str, Ints]]:
    """Data-set code -> category -> indices of its indicators, all sorted."""
    found: dict[str, dict[str, list[int]]] = {}
    for at, (dataset, category) in enumerate(zip(data.dataset_codes, data.categories, strict=True)):
        if dataset and category:
            found.setdefault(dataset, {}).setdefault(category, []).append(at)
    return {
        dataset: {category: np.array(found[dataset][category]) for category in sorted(found[dataset])}
        for dataset in sorted(found)
    }


@lru_cache(maxsize=512)
def _observed(data: IndicatorSet, dataset: str, category: str) -> np.ndarray:
    """(n_years, n_countries) bool: whether the country has any of the indicators in the year."""
    values = data.values[:, :, _categories(data)[dataset][category]]
    return np.asarray(np.isfinite(values).any(axis=2))


def datasets(data: IndicatorSet) -> dict[str, str]:
    """Code -> name."""
    return {code: data.datasets.get(code, code) for code in _categories(data)}


def categories(data: IndicatorSet, dataset: str) -> list[str]:
    return list(_categories(data)[dataset])


def years(data: IndicatorSet, dataset: str, category: str) -> list[str]:
    """Years in which at least two countries have any of the indicators."""
    enough = _observed(data, dataset, category).sum(axis=1) >= 2
    return [str(year) for year, is_enough in zip(data.years, enough, strict=True) if is_enough]


def countries(data: IndicatorSet, dataset: str, category: str, year: int) -> dict[str, str]:
    """Code -> name of the countries that have any of the indicators in the year."""
    known = np.flatnonzero(_observed(data, dataset, category)[data.year_index[year]]).tolist()
    codes = [data.countries[at] for at in known]
    return {code: data.country_names.get(code, code) for code in codes}


def columns(data: IndicatorSet, dataset: str, category: str) -> Ints:
    """Indices of the indicators of a category."""
    return _categories(data)[dataset][category]


def route(name: str, **query: object) -> str:
    """A route of this plugin as messages name it, ready to be sent."""
    return f"GET {name}?{urlencode(query)}" if query else f"GET {name}"


def check_dataset(data: IndicatorSet, given: str, *, where: str = "body") -> str:
    if given in _categories(data):
        return given
    raise Invalid.field("dataset", f"no such data set; {route('datasets')} lists them", given, where=where)


def check_category(data: IndicatorSet, dataset: str, given: str, *, where: str = "body") -> str:
    """The category, of a data set that was checked."""
    if given in _categories(data)[dataset]:
        return given
    told = route("categories", dataset=dataset)
    raise Invalid.field("category", f"no such category in data set {dataset!r}; {told} lists them", given, where=where)


def check_year(data: IndicatorSet, dataset: str, category: str, given: str, *, where: str = "body") -> int:
    """The year as a number, one in which countries can be compared."""
    told = route("years", dataset=dataset, category=category)
    # isdecimal lets other scripts' digits pass, and int() reads them.
    if not (given.isascii() and given.isdecimal() and len(given) == 4 and int(given) in data.year_index):
        message = (
            f"not a year of the data set, which has {data.years[0]} to {data.years[-1]}; {told} lists those to use"
        )
        raise Invalid.field("year", message, given, where=where)
    if _observed(data, dataset, category)[data.year_index[int(given)]].sum() < 2:
        message = f"fewer than two countries have an indicator of category {category!r} in {given}; {told} lists years"
        raise Invalid.field("year", message, given, where=where)
    return int(given)


def check_country(data: IndicatorSet, dataset: str, category: str, year: int, given: str) -> int:
    """The country's index."""
    told = route("countries", dataset=dataset, category=category, year=year)
    at = data.country_index.get(given)
    if at is None:
        raise Invalid.field(
            "country", f"no such country; send a code such as {data.countries[0]!r}, {told} lists them", given
        )
    if not _observed(data, dataset, category)[data.year_index[year], at]:
        message = f"has none of the indicators of category {category!r} in {year}; {told} lists the countries that do"
        raise Invalid.field("country", message, given)
    return at
