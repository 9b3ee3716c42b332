"""From checked questions to the answers that clients know."""

from typing import Any

import numpy as np

from common.errors import Invalid
from models._indicators import IndicatorSet
from models.timeseries.auto import LEVEL
from models.timeseries.choices import check_series
from models.timeseries.definitions import Form
from models.timeseries.filling import Question, Solution, indicator, solve
from models.timeseries.spec import Course, Floats, SeriesError


def predict(data: IndicatorSet, question: Question) -> dict[str, Any]:
    """The body of `SeriesResponse`; runs on a thread of the pool.

    Raises
    ------
    Invalid
        The method cannot be computed for this series.
    """
    try:
        found = solve(data, question)
    except SeriesError as exc:
        raise Invalid.field(exc.field, exc.message) from None
    years, seen, filled = found.course.years, found.course.seen, found.filled
    banded = filled & np.isfinite(found.lower)
    return {
        "missing_years": years[~seen].tolist(),
        "imputed_series": {
            "name": data.countries[question.country],
            "index": years.tolist(),
            "data": _plain(found.values),
        },
        "unfilled_years": years[~seen & ~filled].tolist(),
        "method": {"inside": found.inside, "ends": found.ends},
        "intervals": {
            "level": LEVEL,
            "index": years[banded].tolist(),
            "lower": found.lower[banded].tolist(),
            "upper": found.upper[banded].tolist(),
        }
        if banded.any()
        else None,
        "comparison": [vars(item) for item in found.compared],
        "caveats": [vars(caveat) for caveat in found.caveats],
    }


def panel(data: IndicatorSet, questions: list[Question], form: Form) -> dict[str, Any]:
    """The body of `PanelResponse`; runs on a thread of the pool, for up to a minute with `auto`."""
    skipped: list[dict[str, Any]] = []
    parts: list[Any] = []
    for question in questions:
        try:
            check_series(data, question)
            found = solve(data, question)
        except SeriesError as exc:
            found = _observed(data, question)
            skipped.append(_named(data, question) | {"code": exc.code, "message": exc.message})
        if form is Form.rows:
            parts += _rows(data, question, found)
        else:
            parts.append(_line(data, question, found))
    shown = {"rows": None, "series": None} | {form.name: parts}
    return shown | {"skipped": skipped}


def _observed(data: IndicatorSet, question: Question) -> Solution:
    known = indicator(data, question.target)
    course = Course(known.years, known.panel[:, question.country])
    none = np.full(len(known.years), np.nan)
    return Solution(course, course.values, none, none, None, None, (), ())


def _named(data: IndicatorSet, question: Question) -> dict[str, Any]:
    return {"country": data.countries[question.country], "indicator": data.indicators[question.target]}


def _rows(data: IndicatorSet, question: Question, found: Solution) -> list[dict[str, Any]]:
    named = _named(data, question)
    columns = (found.course.years.tolist(), _plain(found.values), _plain(found.lower), _plain(found.upper))
    return [
        named | {"year": year, "value": value, "lower": lower, "upper": upper, "observed": observed}
        for year, value, lower, upper, observed in zip(*columns, found.course.seen.tolist(), strict=True)
    ]


def _line(data: IndicatorSet, question: Question, found: Solution) -> dict[str, Any]:
    code = data.countries[question.country]
    return {
        "country": code,
        "country_name": data.country_names.get(code, code),
        "indicator": data.indicators[question.target],
        "indicator_name": data.names[question.target],
        "unit": data.units[question.target],
        "method": {"inside": found.inside, "ends": found.ends},
        "x": found.course.years.tolist(),
        "y": _plain(found.values),
        "lower": _plain(found.lower),
        "upper": _plain(found.upper),
        "observed": found.course.seen.tolist(),
    }


def _plain(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
