"""From a checked question to the answer that clients know."""

from collections import defaultdict
from typing import Any

import numpy as np

from common.errors import Invalid
from models._indicators import IndicatorSet
from models.imputation.engine import Level1Memory, impute
from models.imputation.estimate import watch
from models.imputation.spec import Imputation, ImputationError, Spec

# Level-1 states kept in a process; one is a few megabytes.
_MEMORY_BYTES = 100_000_000

memory = Level1Memory(_MEMORY_BYTES)


def predict(data: IndicatorSet, spec: Spec) -> dict[str, Any]:
    """Compute the answer to `PredictRequest`; runs on a thread of the pool, for milliseconds to seconds.

    Raises
    ------
    Invalid
        The data cannot answer this question, e.g. because clones of the target leave too few predictors.
    """
    measurement = watch().start(data, spec)
    try:
        found = impute(data, spec, memory)
    except ImputationError as exc:
        raise Invalid(str(exc)) from exc
    measurement.done()
    return respond(data, spec, found)


def respond(data: IndicatorSet, spec: Spec, found: Imputation) -> dict[str, Any]:
    """The body of `PredictResponse`, as plain lists and maps."""
    year = str(spec.year)
    countries = [data.countries[row] for row in found.rows.tolist()]
    features = [data.indicators[at] for at in found.features]
    importances = dict(zip(features, found.importances.tolist(), strict=True))
    categories = _by_category(data, found)
    correlation = {"index": features, "columns": features, "data": found.correlation.tolist()}
    observed = _observed(data, spec)
    return {
        "rmse": found.rmse,
        "rmse_deviation": found.rmse_deviation,
        "model": found.model.name,
        "model_feature_names": features,
        "model_feature_importance": list(importances.values()),
        "prediction": {
            "Country Code": countries,
            "prediction": found.prediction.tolist(),
            "lower": found.lower.tolist(),
            "upper": found.upper.tolist(),
        },
        "correlation": correlation,
        "feature_importance_pie": {"category": list(categories), "value": list(categories.values())},
        "indicatorJson": {
            "data": {year: observed | _by_country(countries, found.prediction)},
            "upperIntervals": {year: _by_country(countries, found.upper)},
            "lowerIntervals": {year: _by_country(countries, found.lower)},
            "featureImportances": {year: importances},
            "categoryImportances": {year: categories},
            "correlation": {year: correlation},
            "rmse": {year: found.rmse},
            "rmse_deviation": {year: found.rmse_deviation},
        },
        "excluded_clones": [data.indicators[at] for at in found.excluded_clones],
        "caveats": [
            {
                "country": None if caveat.row is None else data.countries[caveat.row],
                "code": caveat.code,
                "message": caveat.message,
            }
            for caveat in found.caveats
        ],
    }


def _by_country(countries: list[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(countries, values.tolist(), strict=True))


def _by_category(data: IndicatorSet, found: Imputation) -> dict[str, float]:
    """Importance summed by category, largest first."""
    sums: dict[str, float] = defaultdict(float)
    for at, importance in zip(found.features, found.importances.tolist(), strict=True):
        sums[data.categories[at] or "none"] += importance
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _observed(data: IndicatorSet, spec: Spec) -> dict[str, float]:
    """Values of the target that small island states have."""
    column = data.year(spec.year)[:, spec.target]
    rows = np.flatnonzero(data.sids & ~np.isnan(column)).tolist()
    return {data.countries[row]: float(column[row]) for row in rows}
