"""What may be asked of a data set, and the check of a request; cheap enough for the event loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from common.errors import Invalid, TooLarge
from models._indicators import IndicatorSet
from models.timeseries.definitions import PanelRequest, SeriesRequest
from models.timeseries.filling import Question
from models.timeseries.interpolation import check_points
from models.timeseries.spec import Ints, Mask, Method, SeriesError

# `auto` takes a twentieth of a second of CPU a series, the others next to nothing.
MAX_AUTO_SERIES = 250
MAX_SERIES = 2000


@dataclass(frozen=True)
class Shape:
    """What is known of each series.

    Attributes:
        count: (n_countries, n_indicators) years observed; varied: (n_countries, n_indicators) whether they differ.
        fillable: (n_countries, n_indicators) whether there are gaps, and enough observations to fill them from.
    """

    count: Ints
    varied: Mask
    fillable: Mask


@lru_cache(maxsize=4)
def shape(data: IndicatorSet) -> Shape:
    seen = np.isfinite(data.values)
    count = seen.sum(axis=0)
    low = np.where(seen, data.values, np.inf).min(axis=0)
    high = np.where(seen, data.values, -np.inf).max(axis=0)
    return Shape(count, high > low, (high > low) & (count < len(data.years)))


def targets(data: IndicatorSet, dataset: str | None, country: str | None) -> dict[str, str]:
    """Code -> name of the indicators that have something to fill, in one data set and country if given."""
    known = shape(data).fillable
    if country is not None:
        known = known[[check_country(data, country, where="query")]]
    if dataset is not None and dataset not in data.datasets:
        raise Invalid.field(
            "dataset", f"no such data set; use one of {', '.join(sorted(data.datasets))}", dataset, where="query"
        )
    return {
        data.indicators[at]: data.names[at]
        for at in np.flatnonzero(known.any(axis=0)).tolist()
        if dataset is None or data.dataset_codes[at] == dataset
    }


def countries(data: IndicatorSet, target: str) -> list[str]:
    """Codes of the countries that have gaps in the target and enough observations to fill them from."""
    column = shape(data).fillable[:, check_target(data, target, where="query")]
    return [data.countries[at] for at in np.flatnonzero(column).tolist()]


def check_target(data: IndicatorSet, given: str, *, field: str = "target", where: str = "body") -> int:
    if given in data.indicator_index:
        return data.indicator_index[given]
    raise Invalid.field(field, "no such indicator; GET targets lists them", given, where=where)


def check_country(data: IndicatorSet, given: str, *, field: str = "country", where: str = "body") -> int:
    if given in data.country_index:
        return data.country_index[given]
    told = "no such country in the data set; GET countries?target=… lists the codes"
    raise Invalid.field(field, told, given, where=where)


def check_series(data: IndicatorSet, question: Question) -> None:
    """Raises SeriesError where the series cannot be filled in the way asked for."""
    code = data.indicators[question.target]
    told = f"GET countries?target={code} lists the countries with something to fill"
    count = int(shape(data).count[question.country, question.target])
    if count == 0:
        raise SeriesError("no_observations", f"has no observation of {code} in any year; {told}", "country")
    if count == 1:
        raise SeriesError("too_few_points", f"has 1 observation of {code}, and 2 are needed; {told}", "country")
    if not shape(data).varied[question.country, question.target]:
        seen = data.values[:, question.country, question.target]
        value = float(seen[np.isfinite(seen)][0])
        message = f"all {count} observations of {code} are {value:g}: take that value, or another country; {told}"
        raise SeriesError("constant", message, "country")
    if question.method is not Method.auto:
        check_points(question.method, question.order, count)


def question_of(data: IndicatorSet, body: SeriesRequest) -> Question:
    """The question of a request.

    Raises
    ------
    Invalid
        It names something that the data set does not have, or a series that cannot be filled in this way.
    """
    question = Question(
        check_target(data, body.target),
        check_country(data, body.country),
        body.method,
        body.d,
        body.direction,
        body.bounded,
    )
    try:
        check_series(data, question)
    except SeriesError as exc:
        given = {"country": body.country, "d": body.d, "method": body.method.name}[exc.field]
        raise Invalid.field(exc.field, exc.message, given) from None
    return question


def questions_of(data: IndicatorSet, body: PanelRequest) -> list[Question]:
    """The questions of a panel, by indicator, then country.

    Raises
    ------
    Invalid
        A code is unknown or there twice.
    TooLarge
        More series than one request may ask for.
    """
    chosen = [check_target(data, code, field="targets") for code in _once(body.targets, "targets")]
    if body.countries is None:
        rows = np.flatnonzero(data.sids).tolist()
        if not rows:
            raise Invalid.field("countries", "the data set has no small island states; name the countries", None)
    else:
        rows = [check_country(data, code, field="countries") for code in _once(body.countries, "countries")]
    limit = MAX_AUTO_SERIES if body.method is Method.auto else MAX_SERIES
    if len(chosen) * len(rows) > limit:
        raise TooLarge(
            f"{len(chosen)} targets of {len(rows)} countries are {len(chosen) * len(rows)} series; "
            f"ask for at most {limit} at once with method {body.method.name}, in several requests"
        )
    if body.method is Method.spline:
        try:
            check_points(body.method, body.d, len(data.years))
        except SeriesError as exc:
            raise Invalid.field("d", exc.message, body.d) from None
    return [Question(at, row, body.method, body.d, body.direction, body.bounded) for at in chosen for row in rows]


def _once(codes: Sequence[str], field: str) -> Sequence[str]:
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise Invalid.field(field, f"named twice: {', '.join(twice[:5])}; name each once", twice)
    return codes
