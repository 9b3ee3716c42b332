"""What can be asked of the imputation engine: its choices, the question, the answer. Imports no sklearn, no pandas."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Interpolator(Enum):
    """How level 1 fills the gaps of the predictors."""

    KNNImputer = "Nearest neighbours"
    IterativeImputer = "Iterative extra trees"
    SimpleImputer = "Mean"


class Scheme(Enum):
    """How the predictors are chosen: automatic feature selection, principal components, by hand."""

    AFS = "Automatic selection"
    PCA = "Principal components"
    MANUAL = "By hand"


class Model(Enum):
    """Level 2: random forest, extra trees, gradient boosting, or the best of the three by cross-validation."""

    rfr = "Random forest"
    etr = "Extra trees"
    gbr = "Gradient boosting"
    all = "Best of the three"


class Interval(Enum):
    """How the 90% interval is made: conformalised quantile regression, or jackknife+ after bootstrap."""

    quantile = "Quantile regression"
    bootstrap = "Bootstrap"


class Indicators(Protocol):
    """What the engine reads of a data set of country indicators.

    ``values`` is (n_years, n_countries, n_indicators) float64 with NaN for missing; ``units`` and ``base_codes`` are
    aligned with ``indicators``, ``sids`` (n_countries,) with ``countries``. ``digest`` names the content.
    """

    @property
    def digest(self) -> str: ...
    @property
    def countries(self) -> Sequence[str]: ...
    @property
    def indicators(self) -> Sequence[str]: ...
    @property
    def years(self) -> Sequence[int]: ...
    @property
    def values(self) -> Floats: ...
    @property
    def units(self) -> Sequence[str]: ...
    @property
    def base_codes(self) -> Sequence[str]: ...
    @property
    def sids(self) -> Mask: ...


class ImputationError(ValueError):
    """The question cannot be answered with these data; the message says what to ask instead."""


@dataclass(frozen=True)
class Spec:
    """One question.

    ``target`` and ``predictors`` are indicator indices, ``year`` a calendar year. ``predictors`` is read with
    ``Scheme.MANUAL`` only, ``number_predictor`` with the other two. ``estimators`` is the number of trees.
    """

    target: int
    year: int
    interpolator: Interpolator = Interpolator.KNNImputer
    scheme: Scheme = Scheme.AFS
    predictors: tuple[int, ...] = ()
    number_predictor: int | None = None
    estimators: int = 10
    model: Model = Model.rfr
    interval: Interval = Interval.quantile
    use_history: bool = True
    seed: int = 7


@dataclass(frozen=True)
class Caveat:
    """A reason to read a value with care. ``row`` is a country index, or None where it holds for the whole answer."""

    row: int | None
    code: str
    message: str


@dataclass(frozen=True)
class Imputation:
    """The answer, in the target's own units.

    Attributes:
        rows: (n_rows,) country indices of the small island states that miss the target, ascending.
        prediction, lower, upper: (n_rows,) with lower <= prediction <= upper, the interval at 90%.
        rmse: root mean squared error on held-out countries, selection of predictors and depth included.
        rmse_deviation: rmse over the mean of the target, over its range where that leaves 0..1.
        model: which of rfr, etr and gbr answered.
        features: indicator indices of the predictors used.
        importances: (n_features,) sum to 1.
        correlation: (n_features, n_features) of the filled predictors.
        excluded_clones: indicator indices left out because they repeat the target.
        caveats: reasons for care, by country.
        depth: depth of the trees of the level model, None for fully grown.
        with_history: (n_rows,) whether the country's own other years were used.
        n_train: number of countries trained on.
    """

    rows: Ints
    prediction: Floats
    lower: Floats
    upper: Floats
    rmse: float
    rmse_deviation: float
    model: Model
    features: tuple[int, ...]
    importances: Floats
    correlation: Floats
    excluded_clones: tuple[int, ...]
    caveats: tuple[Caveat, ...]
    depth: int | None
    with_history: Mask
    n_train: int
