"""What may be asked of a data set: years, data sets, targets, dimensions, predictors; and the check of a request.

All are cheap to compute, and kept per data set and year, so that they may run on the event loop.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from common.errors import Invalid
from models._indicators import IndicatorSet
from models.imputation.definitions import PredictorsRequest, PredictRequest
from models.imputation.engine import eligible_predictors, eligible_targets
from models.imputation.level1 import PREDICTOR_MISSING, TARGET_MISSING
from models.imputation.spec import Scheme, Spec

# What the dashboard offers for the number of predictors.
_NUMBERS = range(10, 51)


def target_sample_size(data: IndicatorSet) -> int:
    """Countries that must have a value for an indicator to be a target."""
    return math.ceil(len(data.countries) * (1 - TARGET_MISSING))


def predictor_sample_size(data: IndicatorSet) -> int:
    """Countries that must have a value for an indicator to be a predictor."""
    return math.ceil(len(data.countries) * (1 - PREDICTOR_MISSING))


@dataclass(frozen=True)
class YearChoices:
    """Indicator indices that may be asked for in one year."""

    targets: frozenset[int]
    predictors: frozenset[int]


@lru_cache(maxsize=512)
def of_year(data: IndicatorSet, year: int) -> YearChoices:
    def indices(mask: np.ndarray) -> frozenset[int]:
        return frozenset(np.flatnonzero(mask).tolist())

    return YearChoices(indices(eligible_targets(data, year)), indices(eligible_predictors(data, year)))


def years(data: IndicatorSet) -> list[str]:
    """Years in which there is something to fill."""
    return [str(year) for year in data.years if of_year(data, year).targets]


def check_year(data: IndicatorSet, given: str, *, where: str = "body") -> int:
    """The year as a number.

    Raises
    ------
    Invalid
        It is not a year of the data set.
    """
    # isdecimal lets other scripts' digits pass, and int() reads them; the codes of the data set are plain.
    if given.isascii() and given.isdecimal() and len(given) == 4 and int(given) in data.year_index:
        return int(given)
    raise Invalid.field(
        "target_year", f"not a year of the data set; use {data.years[0]} to {data.years[-1]}", given, where=where
    )


def check_dataset(data: IndicatorSet, year: int, given: str, *, where: str = "body") -> str:
    if given in datasets(data, year):
        return given
    raise Invalid.field(
        "dataset",
        f"no such data set with targets in {year}; GET datasets?target_year={year} lists them",
        given,
        where=where,
    )


def datasets(data: IndicatorSet, year: int) -> dict[str, str]:
    """Code -> name of the data sets that have a target in `year`."""
    codes = sorted({data.dataset_codes[at] for at in of_year(data, year).targets})
    return {code: data.datasets.get(code, code) for code in codes}


def targets(data: IndicatorSet, year: int, dataset: str) -> dict[str, str]:
    """Code -> name of the targets of a data set in `year`."""
    return {
        data.indicators[at]: data.names[at]
        for at in sorted(of_year(data, year).targets)
        if data.dataset_codes[at] == dataset
    }


def dimensions(data: IndicatorSet, year: int, dataset: str, target: str) -> list[dict[str, str]]:
    """The variants of a target (named by code, or by name as the dashboard does) that are targets themselves."""
    at = data.indicator_index.get(target)
    name = target if at is None else data.names[at]
    found = [
        {"label": data.dimensions[other], "value": data.indicators[other]}
        for other in sorted(of_year(data, year).targets)
        if data.names[other] == name and data.dataset_codes[other] == dataset
    ]
    if not found:
        raise Invalid.field(
            "target",
            f"no such target; GET targets?target_year={year}&dataset={dataset} lists codes and names",
            target,
            where="query",
        )
    return found


def check_target(data: IndicatorSet, year: int, dataset: str | None, target: str) -> int:
    """The target's index.

    Raises
    ------
    Invalid
        It is unknown, not of the data set, or has too many gaps or none in `year`.
    """
    at = data.indicator_index.get(target)
    told = f"GET targets?target_year={year}&dataset={dataset or '…'} lists the targets"
    if at is None:
        raise Invalid.field("target", f"no such indicator; {told}", target)
    if at not in of_year(data, year).targets:
        raise Invalid.field(
            "target",
            f"cannot be filled in {year}: between 1 country and {TARGET_MISSING:.0%} of countries must miss it; "
            + told,
            target,
        )
    if dataset is not None and data.dataset_codes[at] != dataset:
        raise Invalid.field("target", f"belongs to data set {data.dataset_codes[at]!r}, not {dataset!r}", target)
    return at


def predictors(data: IndicatorSet, body: PredictorsRequest) -> dict[str, str]:
    """For MANUAL code -> "Name-Dimension"; else the numbers of predictors that the dashboard offers, each to itself."""
    year = check_year(data, str(body.target_year))
    if body.dataset is not None:
        check_dataset(data, year, body.dataset)
    target = check_target(data, year, body.dataset, body.target)
    if body.scheme is not Scheme.MANUAL:
        return {str(number): str(number) for number in _NUMBERS}
    return {
        data.indicators[at]: f"{data.names[at]}-{data.dimensions[at]}"
        for at in sorted(of_year(data, year).predictors)
        if at != target
    }


def spec_of(data: IndicatorSet, body: PredictRequest) -> Spec:
    """The question for the engine.

    Raises
    ------
    Invalid
        A field names something that the data set does not have, or cannot use.
    """
    year = check_year(data, str(body.target_year))
    if body.dataset is not None:
        check_dataset(data, year, body.dataset)
    target = check_target(data, year, body.dataset, body.target)
    usable = of_year(data, year).predictors - {target}
    chosen: tuple[int, ...] = ()
    if body.scheme is Scheme.MANUAL:
        chosen = _check_predictors(data, year, target, usable, body.manual_predictors or [])
    elif (body.number_predictor or 0) > len(usable):
        raise Invalid.field(
            "number_predictor",
            f"there are {len(usable)} predictors in {year}; ask for 1 to {len(usable)}",
            body.number_predictor,
        )
    return Spec(
        target=target,
        year=year,
        interpolator=body.interpolator,
        scheme=body.scheme,
        predictors=chosen,
        number_predictor=None if body.scheme is Scheme.MANUAL else body.number_predictor,
        estimators=body.estimators,
        model=body.model,
        interval=body.interval,
        use_history=body.use_history,
    )


def _check_predictors(
    data: IndicatorSet, year: int, target: int, usable: frozenset[int], given: list[str]
) -> tuple[int, ...]:
    field = "manual_predictors"
    told = "POST predictors with scheme MANUAL lists them"
    if not given:
        raise Invalid.field(field, f"name at least one predictor; {told}", given)
    if len(set(given)) != len(given):
        twice = sorted({code for code in given if given.count(code) > 1})
        raise Invalid.field(field, f"named twice: {', '.join(twice[:5])}", given)
    if data.indicators[target] in given:
        raise Invalid.field(field, "the target cannot be a predictor of itself", data.indicators[target])
    unknown = [code for code in given if data.indicator_index.get(code) not in usable]
    if unknown:
        raise Invalid.field(
            field,
            f"not predictors in {year} (unknown, or missing in {PREDICTOR_MISSING:.0%} of countries or more): "
            f"{', '.join(unknown[:5])}; {told}",
            unknown,
        )
    return tuple(data.indicator_index[code] for code in given)
