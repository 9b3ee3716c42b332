"""Training: searches the choices with which a target's year is filled best, and publishes them.

What is published is no set of trees but the question to ask: trees grow anew, from the data of the day, in the time of
a prediction.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from common.errors import Invalid
from models._indicators import IndicatorSet, source
from models.imputation import choices, space
from models.imputation.clones import clones_of
from models.imputation.definitions import TrainRequest
from models.imputation.level1 import year_values
from models.imputation.spec import Model, Scheme, Spec
from models.imputation.trained import SPEC, Trained

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext


def check_train(request: TrainRequest) -> None:
    """Refuse at once what the data cannot answer; milliseconds.

    Raises
    ------
    Invalid
        See `_question`.
    """
    _question(source.current(), request)


def train(context: "TrainContext", request: TrainRequest) -> None:
    """Searches model, trees, scheme and number of predictors by the error on countries held out, and publishes the
    best as a version of `imputation`; `POST /imputation/predict?version=…` answers with it."""
    # Brings scikit-learn.
    from models.imputation.engine import impute
    from models.imputation.service import memory

    data = source.current()
    question, most = _question(data, request)
    models = sorted(set(request.models), key=space.MODELS.index)

    def error(values: dict[str, Any], trial: "Trial") -> float:
        spec = _chosen(question, values)
        for trees in (*filter(spec.estimators.__gt__, space.RUNGS), spec.estimators):
            rmse = impute(data, replace(spec, estimators=trees), memory).rmse
            context.report(trial, rmse, trees)
        return rmse

    defaults = {"model": models[0], **space.DEFAULTS, "predictors": min(space.DEFAULTS["predictors"], most)}
    best = context.optimize(
        error,
        request.trials,
        request.timeout_s,
        suggest=partial(space.suggest, models=models, most=most),
        seed=request.seed,
        first=[defaults],
    )
    baseline = impute(data, _chosen(question, defaults), memory)
    found = impute(data, _chosen(question, best), memory)
    context.publish(
        {SPEC: orjson.dumps(Trained.of(data, _chosen(question, best)).model_dump(), option=orjson.OPT_INDENT_2)},
        {"rmse": found.rmse, "rmse_deviation": found.rmse_deviation, "baseline": baseline.rmse},
        data_hash=data.digest,
    )


def _question(data: IndicatorSet, request: TrainRequest) -> tuple[Spec, int]:
    """What is to be filled, and how many predictors there are.

    Raises
    ------
    Invalid
        A field names something that the data set does not have, or cannot use.
    """
    year = choices.check_year(data, str(request.target_year))
    if request.dataset is not None:
        choices.check_dataset(data, year, request.dataset)
    target = choices.check_target(data, year, request.dataset, request.target)
    most = len(choices.of_year(data, year).predictors - {target})
    if not most:
        raise Invalid.field("target_year", f"there are no predictors in {year}; use another year", request.target_year)
    _check_clones(data, year, target)
    return Spec(target=target, year=year, interpolator=request.interpolator), most


def _check_clones(data: IndicatorSet, year: int, target: int) -> None:
    columns = np.array(sorted(choices.of_year(data, year).predictors), dtype=np.int64)
    if not np.isin(columns, np.append(clones_of(data, year_values(data, year), target, columns), target)).all():
        return
    code = data.indicators[target]
    raise Invalid.field("target", f"all predictors in {year} repeat {code}; use another year or target", code)


def _chosen(question: Spec, values: dict[str, Any]) -> Spec:
    return replace(
        question,
        model=Model[values["model"]],
        scheme=Scheme[values["scheme"]],
        number_predictor=values["predictors"],
        estimators=values["trees"],
    )
