"""What imputation is measured against: simple guesses, the plain two-level method, and chained equations with forests.

Each takes the data with the cells hidden and gives (n_cells,) values. They do not change while imputation does, so
what they said is kept in a folder.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.imputation_accuracy_masks import Question
from models._indicators import IndicatorSet
from models.imputation.level1 import predictor_mask

PREDICTORS = 10
TREES = 100
# Chained equations look at the columns that say most about the target; all of them would take minutes a question.
MICE_COLUMNS = 15
MICE_TREES = 20
MICE_ROUNDS = 3

Array = NDArray[np.float64]
Peer = Callable[[IndicatorSet, Question], Array]


def train_mean(data: IndicatorSet, question: Question) -> Array:
    """The mean of the countries that have the target in the year."""
    return np.full(len(question.countries), np.nanmean(data.year(question.year)[:, question.target]))


def linear(data: IndicatorSet, question: Question) -> Array:
    """The line between the nearest two observations of the country, the nearest one beyond the last."""
    series = np.asarray(data.values[:, :, question.target])
    years = np.array(data.years)
    found = []
    for country in question.countries:
        seen = np.isfinite(series[:, country])
        found.append(float(np.interp(question.year, years[seen], series[seen, country])) if seen.any() else np.nan)
    return np.array(found)


def plain(data: IndicatorSet, question: Question) -> Array:
    """The two-level method as it was: neighbours fill the year, a forest eliminates, a forest predicts.

    History is off, and clones of the target may be predictors.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.feature_selection import RFE
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import MinMaxScaler

    values = data.year(question.year)
    columns = np.flatnonzero(predictor_mask(values))
    columns = columns[columns != question.target]
    X = KNNImputer().fit_transform(MinMaxScaler().fit_transform(values[:, columns]))
    y = values[:, question.target]
    train = np.isfinite(y)
    forest = RandomForestRegressor(TREES, max_features=1 / 3, random_state=7)
    picked = RFE(
        RandomForestRegressor(20, max_features=1 / 3, random_state=7), n_features_to_select=PREDICTORS, step=0.5
    )
    kept = picked.fit(X[train], y[train]).support_
    forest.fit(X[train][:, kept], y[train])
    answer: Array = forest.predict(X[np.array(question.countries)][:, kept])
    return answer


def mice_forest(data: IndicatorSet, question: Question) -> Array:
    """Chained equations with extra trees (scikit-learn's IterativeImputer; missForest, Stekhoven & Buehlmann 2012).

    It sees the target, the columns of the year that correlate with it most, and where the country has a history the
    target in the two years before and the two after. Clones of the target, as hidden as the target, would only mislead
    it: they are left out.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - without it the next import fails
    from sklearn.impute import IterativeImputer

    values = data.year(question.year)
    y = values[:, question.target]
    columns = np.flatnonzero(predictor_mask(values))
    columns = columns[~np.isin(columns, (question.target, *question.clones))]
    strength = np.abs(_correlations(y, values[:, columns]))
    X = values[:, columns[np.argsort(-strength, kind="stable")[:MICE_COLUMNS]]]
    if question.protocol == "gap":
        at = data.year_index[question.year]
        near = [at + step for step in (-2, -1, 1, 2) if 0 <= at + step < len(data.years)]
        X = np.column_stack([X, np.asarray(data.values[near, :, question.target]).T])
    matrix = np.column_stack([y, X])
    usable: Any = np.isfinite(matrix).any(axis=0)
    imputer = IterativeImputer(
        ExtraTreesRegressor(MICE_TREES, random_state=7), max_iter=MICE_ROUNDS, tol=0.02, random_state=7
    )
    filled: Array = imputer.fit_transform(matrix[:, usable])
    return filled[list(question.countries), 0]


def _correlations(target: Array, others: Array) -> Array:
    from models.imputation.clones import correlations

    return correlations(target, others)


PEERS: dict[str, Peer] = {"train mean": train_mean, "linear": linear, "plain": plain, "MICE forest": mice_forest}
# What each is compared with by protocol; a country without a history has nothing to interpolate.
COMPARED = {"gap": tuple(PEERS), "cold": ("train mean", "plain", "MICE forest")}


def said(kept: Path, names: Sequence[str], masked: IndicatorSet, question: Question) -> dict[str, Array]:
    """What the peers `names` say, computed where the folder `kept` does not have it."""
    found = {}
    for name in names:
        words = f"{masked.digest} {question.clones} {name} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
        path = kept / f"{hashlib.sha256(words.encode()).hexdigest()}.json"
        if not path.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # few rounds of chained equations do not converge, and say so
                values = PEERS[name](masked, question)
            kept.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values.tolist()))
        found[name] = np.array(json.loads(path.read_text()))
    return found
