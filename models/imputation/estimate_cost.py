"""What a prediction has to do, counted: the work of each of its parts, from the question and the sizes of its year.

How long a unit of each takes is learnt from measurements (`estimate_law.py`); here stands only what grows with what.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models._indicators import IndicatorSet
from models.imputation import choices
from models.imputation.boosting import DEPTHS
from models.imputation.intervals import BAGS, BOOSTED_BAGS
from models.imputation.iterative import RELATED, ROUNDS
from models.imputation.iterative import TREES as FILLING_TREES
from models.imputation.kernel import POWERS
from models.imputation.level2 import FOLD_TREES, KINDS
from models.imputation.problem import FOLDS
from models.imputation.selection import KEEP
from models.imputation.selection import TREES as ELIMINATION_TREES
from models.imputation.spec import Floats, Interpolator, Interval, Model, Scheme, Spec
from models.imputation.trees import tried_features

# Seconds that a unit of each part takes, fitted to such questions as `benchmarks/imputation_estimate.py` asks, on one
# busy core of a 2023 server: what a machine that has measured nothing is taken for.
UNIT_S = {
    "first": 0.05,
    "base": 0.02,
    "table": 0.03,
    "chain": 0.0001,
    "refill": 3e-06,
    "profile": 0.002,
    "eliminate": 4.2e-05,
    "components": 1.8e-10,
    "forest": 5.7e-05,
    "extra": 5.1e-05,
    "boost": 4.4e-05,
    "kernel": 5e-11,
    "interval": 5.8e-09,
}
PARTS = tuple(UNIT_S)

# Columns that a country's own series adds to the predictors, and rows that it is rehearsed with at most.
_OWN_COLUMNS = 8
_MANY, _REHEARSED, _REHEARSED_FEW = 100, 2, 3


@dataclass(frozen=True)
class Sizes:
    """The tables that a question is answered from.

    Attributes:
        cells: values of the year; years: of the data set; predictors: columns that the year offers.
        train: countries that have the target; asking: small island states that miss it, own: those of them with other
            years of it.
        usable: whether the target might itself be a predictor, so that it has to be kept out of level 1.
    """

    countries: int
    indicators: int
    years: int
    predictors: int
    train: int
    asking: int
    own: int
    usable: bool


@lru_cache(maxsize=4096)
def sizes(data: IndicatorSet, year: int, target: int) -> Sizes:
    """Of a year that the data have. Cheap enough for the event loop."""
    series = np.isfinite(data.values[:, :, target])
    seen = series[data.year_index[year]]
    asking = np.asarray(data.sids, dtype=bool) & ~seen
    predictors = choices.of_year(data, year).predictors
    n_years, n_countries, n_indicators = data.values.shape
    return Sizes(
        n_countries,
        n_indicators,
        n_years,
        len(predictors),
        int(seen.sum()),
        int(asking.sum()),
        int((asking & series.any(axis=0)).sum()),
        target in predictors,
    )


def work(of: Sizes, spec: Spec, *, filled: bool, neighbours: bool, first: bool) -> Floats:
    """Units of each of `PARTS`, (n_parts,), not negative.

    Args:
        filled: whether the year is known under the question's interpolator; neighbours: whether it is under
            `KNNImputer`, which `IterativeImputer` begins with.
        first: whether the process has not predicted before, and has to import what it takes.
    """
    iterative = spec.interpolator is Interpolator.IterativeImputer
    units = dict.fromkeys(PARTS, 0.0)
    units["first"] = float(first)
    units["base"] = 1.0
    units["profile"] = of.countries * of.indicators / 1e5
    if not filled and not (iterative and neighbours):
        units["table"] = of.countries * of.indicators * (of.years + 20) / 1e6
    per_tree = 1.0 + of.countries / 200
    if iterative and not filled:
        units["chain"] = ROUNDS * FILLING_TREES * of.predictors * per_tree
    manual = spec.scheme is Scheme.MANUAL
    wanted = len(spec.predictors) if manual else of.predictors
    if iterative and of.usable:
        leaning = min(1.0, 2 * RELATED / max(of.predictors, 1))
        units["refill"] = FILLING_TREES * wanted * leaning * per_tree + 0.02 * of.countries * of.predictors
    _choose(units, of, spec, wanted)
    number = wanted if manual else min(spec.number_predictor or wanted, wanted)
    few, own, others = of.own == 0 or not spec.use_history, of.own, of.asking - of.own
    if few:
        own, others = 0, of.asking
    beside = wanted if manual else of.indicators
    if own:
        rows = of.train * (_REHEARSED_FEW if of.train < _MANY else _REHEARSED)
        _learn(units, spec, rows, of.train, own, number + _OWN_COLUMNS, beside)
    if others or not own:
        _learn(units, spec, of.train, of.train, others, number, beside)
    else:
        kind = "boost" if spec.model is Model.gbr else "extra" if spec.model is Model.etr else "forest"
        units[kind] += spec.estimators * _tree(of.train, number, kind)
    return np.array([units[part] for part in PARTS])


def _folds(train: int, scheme: Scheme) -> int:
    return max(min(train, FOLDS if train >= 60 or scheme is Scheme.AFS else 2 * FOLDS), 1)


def _choose(units: dict[str, float], of: Sizes, spec: Spec, wanted: int) -> None:
    """The choice of predictors."""
    number = spec.number_predictor or wanted
    if number >= wanted or spec.scheme is Scheme.MANUAL:
        return
    if spec.scheme is Scheme.PCA:
        units["components"] = float(of.countries) * min(of.countries, wanted) * wanted
        return
    left, trees = wanted, 0.0
    while left > number:
        trees += ELIMINATION_TREES * (1.0 + of.train * tried_features(left) / 6000 + left / 300)
        left = max(number, int(left * KEEP))
    units["eliminate"] = (_folds(of.train, spec.scheme) + 1) * trees


def _learn(units: dict[str, float], spec: Spec, rows: int, train: int, asking: int, columns: int, beside: int) -> None:
    """One way to answer: the learners on held-out folds, the final one, the kernel and the interval."""
    folds = _folds(train, spec.scheme)
    trees = folds * min(spec.estimators, FOLD_TREES)
    quantile = spec.interval is Interval.quantile
    last = spec.estimators if quantile else max(spec.estimators, BAGS)
    for kind in KINDS if spec.model is Model.all else (spec.model,):
        if kind is Model.gbr:
            stages = folds * len(DEPTHS) * spec.estimators
            if spec.model is Model.gbr:
                stages += spec.estimators
                # Stages of a quantile look for it in every leaf.
                stages += int(3.0 * (folds + 1) * spec.estimators) if quantile else BOOSTED_BAGS * spec.estimators
            units["boost"] += stages * _tree(rows, columns, "boost")
        else:
            name = "extra" if kind is Model.etr else "forest"
            ends = last if spec.model is not Model.all else last / 2
            units[name] += (trees + ends) * _tree(rows, columns, name)
    units["kernel"] += (folds + 1) * len(POWERS) * _ridge(train, beside)
    if spec.model is not Model.gbr:
        held = rows * (rows + asking) if quantile else rows * asking
        units["interval"] += min(last, FOLD_TREES) * held + 1000.0 * (asking + 10 * folds)


def _tree(rows: int, columns: int, kind: str) -> float:
    """Growing a tree, in the time that one of almost nothing takes."""
    tried = tried_features(max(columns, 1))
    if kind == "extra":
        return 1.0 + rows * tried / 2000 + rows / 150
    return 1.0 + rows * math.log2(max(rows, 2)) * tried / 6000 + rows / 200


def _ridge(rows: int, columns: int) -> float:
    smaller, larger = sorted((max(rows, 1), max(columns, 1)))
    return 20.0 * smaller**3 + 2.0 * smaller**2 * larger + 20.0 * rows * columns + 1e5
