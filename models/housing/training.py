"""Training: searches the support vector regression on a grid, fits the trees, measures both, and publishes them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from common.plugins import BaseDefinition, Whole, param
from common.settings import get_settings
from common.storage import open_share
from models.housing import space
from models.housing.features import FEATURES

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext
    from models.housing.artefact import Trained
    from models.housing.fitting import Part

_FOLDS = 3
# Explanations compare with so many districts: 256 mixtures of each make 8,192 predictions.
_BACKGROUND = 32


class HousingTraining(BaseDefinition):
    """What to learn from, and for how long."""

    dataset: str = param(
        "housing",
        title="Data set",
        description="Folder in `datasets` on the share with california_housing.csv.gz.",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
    )
    trials: Whole = param(
        len(space.grid()),
        title="Trials",
        description="Points of the grid to try; more of them are chosen between its points.",
        ge=1,
        le=200,
    )
    timeout_s: float | None = param(None, title="Seconds", description="After which no trial is begun.", gt=0)
    seed: Whole = param(0, title="Seed", description="The same seed gives the same models.", ge=0)


def check_train(request: HousingTraining) -> None:
    """Refuse at once a training whose data set is not there. Raises `Invalid`."""
    _read(request)


def train(context: "TrainContext", request: HousingTraining) -> None:
    """Trains both models of housing prices and publishes them as a version: `svr.npz`, `boosted.onnx`, `model.json`."""
    from models.housing.fitting import TEST_SHARE, split

    whole, digest = _read(request)
    train_part, _ = split(whole, TEST_SHARE, request.seed)
    error = cross_validated(train_part, request.seed)

    def objective(values: dict[str, Any], trial: "Trial") -> float:
        return error(values, lambda value, fold: context.report(trial, value, fold))

    best = context.optimize(
        objective, request.trials, request.timeout_s, seed=request.seed, first=space.grid()[: request.trials]
    )
    context.progress(0.95, "fitting the trees and measuring")
    made = develop(whole, best, request.seed, digest)
    columns = {name: train_part.x[:, at] for at, name in enumerate(FEATURES)}
    context.publish(made.files(), made.card["figures"], data_hash=digest, snapshot=columns)


def cross_validated(part: "Part", seed: int) -> Callable[..., float]:
    """A function from the values of a point to the root mean square error on parts that were held out."""
    from models.housing.fitting import Part, fast_svr, fit_svr

    folds = np.random.default_rng(seed).permutation(len(part)) % _FOLDS

    def error(values: Mapping[str, float], report: Callable[[float, int], None] = lambda *_: None) -> float:
        squares = np.empty(0)
        for fold in range(_FOLDS):
            inside, outside = folds != fold, folds == fold
            fitted = fast_svr(fit_svr(Part(part.x[inside], part.y[inside]), values))
            squares = np.append(squares, (fitted.predict(part.x[outside]) - part.y[outside]) ** 2)
            report(float(np.sqrt(squares.mean())), fold + 1)
        return float(np.sqrt(squares.mean()))

    return error


def develop(whole: "Part", values: Mapping[str, float], seed: int, digest: str) -> "Trained":
    """Fit both models on two thirds of the districts, and measure them on the rest."""
    from models.housing.artefact import Trained
    from models.housing.fitting import TEST_SHARE, fast_svr, fit_boosted, fit_svr, measured, split

    train_part, test_part = split(whole, TEST_SHARE, seed)
    svr, boosted = fast_svr(fit_svr(train_part, values)), fit_boosted(train_part, seed)
    background, _ = split(train_part, 1 - _BACKGROUND / len(train_part), seed)
    card = {
        "figures": measured(svr, boosted, test_part),
        "svr": dict(values),
        "seed": seed,
        "data_sha256": digest,
        "districts": len(whole),
    }
    return Trained(svr, boosted, background.x[:_BACKGROUND], card)


def _read(request: HousingTraining) -> "tuple[Part, str]":
    from models.housing.districts import read_share

    return read_share(open_share(get_settings().storage), request.dataset)
