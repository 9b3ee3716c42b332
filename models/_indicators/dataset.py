"""A data set as models use it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models._indicators.cache import cached
from models._indicators.errors import DataSetError
from models._indicators.files import digest as digest_of
from models._indicators.files import find_files
from models._indicators.parse import Content, parse
from models._indicators.sids import sids_mask

_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class IndicatorSet:
    """Indicators of countries over years.

    Attributes:
        name: the folder's name.
        digest: SHA-256 of the files as they lie on disk; equal digests mean equal content.
        countries: (n_countries,) sorted codes.
        indicators: (n_indicators,) sorted codes, those that have data.
        years: (n_years,) ascending.
        values: (n_years, n_countries, n_indicators) float64, NaN = missing; read-only and mapped from the cache.
        names, units, categories, subcategories, dimensions, dataset_codes: (n_indicators,) texts as the metadata gives
            them, "" where it does not; a name that is missing is the code.
        base_codes: (n_indicators,) codes without the prefixes of data sets: `key-wdi-X` and `wdi2-X` are both `X`.
        datasets: data-set code -> name.
        country_names: country code -> name; empty without a `countryMeta` file.
        sids: (n_countries,) bool, small island developing states; read-only.
    """

    name: str
    digest: str
    countries: tuple[str, ...]
    indicators: tuple[str, ...]
    years: tuple[int, ...]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    units: tuple[str, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    dimensions: tuple[str, ...]
    dataset_codes: tuple[str, ...]
    base_codes: tuple[str, ...]
    datasets: Mapping[str, str]
    country_names: Mapping[str, str]
    sids: NDArray[np.bool_]

    @cached_property
    def country_index(self) -> Mapping[str, int]:
        """Country code -> its place on the second axis of `values`."""
        return {code: at for at, code in enumerate(self.countries)}

    @cached_property
    def indicator_index(self) -> Mapping[str, int]:
        """Indicator code -> its place on the third axis of `values`."""
        return {code: at for at, code in enumerate(self.indicators)}

    @cached_property
    def year_index(self) -> Mapping[int, int]:
        """Year -> its place on the first axis of `values`."""
        return {year: at for at, year in enumerate(self.years)}

    def year(self, year: int) -> NDArray[np.float64]:
        """The values of one year: (n_countries, n_indicators), a contiguous view.

        Raises:
            KeyError: the data set has no such year.
        """
        view: NDArray[np.float64] = self.values[self.year_index[year]]
        return view


def load(folder: Path, cache_dir: Path) -> IndicatorSet:
    """The data set in `folder`, parsed at the first call for its content and mapped from `cache_dir` after that.

    Args:
        folder: holds `indicatorData`, `indicatorMeta`, `datasetMeta` and perhaps `countryMeta`, as .csv or .csv.gz.
        cache_dir: a local folder, made if absent; may be shared by processes and data sets.

    Raises:
        DataSetError: a file is missing or breaks the format.
    """
    for _ in range(_ATTEMPTS):
        paths = find_files(folder)
        digest = digest_of(paths)
        try:
            content = cached(cache_dir, digest, partial(_parse_as, digest, paths))
        except _FilesChangedError:
            continue
        return _assemble(folder.resolve().name, digest, content)
    raise DataSetError(folder.resolve().name, "its files keep changing while they are read; try again when they rest")


class _FilesChangedError(Exception):
    """The files are no longer those that were hashed."""


def _parse_as(digest: str, paths: Mapping[str, Path]) -> Content:
    content = parse(paths)
    if digest_of(paths) != digest:  # a cache of other content under this digest would never be noticed
        raise _FilesChangedError
    return content


def _assemble(name: str, digest: str, content: Content) -> IndicatorSet:
    # The list of small island states and the rule for base codes live in the code, so they are not cached.
    prefixes = {*content.datasets, *content.meta["dataset_codes"]} - {""}
    return IndicatorSet(
        name=name,
        digest=digest,
        countries=content.countries,
        indicators=content.indicators,
        years=content.years,
        values=content.values,
        base_codes=base_codes(content.indicators, prefixes),
        datasets=content.datasets,
        country_names=content.country_names,
        sids=sids_mask(content.countries, content.sids_marks),
        **content.meta,
    )


def base_codes(indicators: Sequence[str], dataset_codes: set[str]) -> tuple[str, ...]:
    """Indicator codes without their leading data-set codes, each with or without a number (`wdi-`, `wdi2-`)."""
    if not dataset_codes:
        return tuple(indicators)
    prefix = re.compile(rf"(?:(?:{'|'.join(map(re.escape, sorted(dataset_codes)))})[0-9]*-)+(?=.)")
    return tuple(prefix.sub("", code, count=1) if prefix.match(code) else code for code in indicators)
