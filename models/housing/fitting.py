"""Fits the two models of housing prices, and measures them on districts that they have not seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.housing.boosted import BoostedTrees
from models.housing.svr import RadialSvr

Floats = NDArray[np.float64]

# As in the published baseline: a third is kept for the test.
TEST_SHARE = 1 / 3
COVERAGE = 0.9
# Of the training part; the intervals are widened by what is seen there.
_CALIBRATION_SHARE = 0.2
_TREES: Mapping[str, Any] = {"learning_rate": 0.1, "max_iter": 220, "max_leaf_nodes": 31, "min_samples_leaf": 20}
_ENDS: Mapping[str, Any] = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 16, "min_samples_leaf": 20}


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a data set: (n, 8) and (n,)."""

    x: Floats
    y: Floats

    def __len__(self) -> int:
        return len(self.y)


def split(whole: Part, share: float, seed: int) -> tuple[Part, Part]:
    """The rest, and a random part of so large a share."""
    order = np.random.default_rng(seed).permutation(len(whole))
    kept = round(len(whole) * share)
    rest, part = np.sort(order[kept:]), np.sort(order[:kept])
    return Part(whole.x[rest], whole.y[rest]), Part(whole.x[part], whole.y[part])


def fit_svr(train: Part, values: Mapping[str, float]) -> Any:
    """Imputer, robust scaler and radial SVR with `C`, `gamma` and `epsilon`, as a scikit-learn pipeline."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import RobustScaler
    from sklearn.svm import SVR

    svr = SVR(kernel="rbf", C=values["C"], gamma=values["gamma"], epsilon=values["epsilon"], cache_size=500)
    return make_pipeline(SimpleImputer(strategy="median"), RobustScaler(), svr).fit(train.x, train.y)


def fast_svr(pipeline: Any) -> RadialSvr:
    """The same function, evaluated fast."""
    imputer, scaler, svr = (step for _, step in pipeline.steps)
    return RadialSvr(
        np.asarray(imputer.statistics_, dtype=np.float64),
        np.asarray(scaler.center_, dtype=np.float64),
        np.asarray(scaler.scale_, dtype=np.float64),
        np.ascontiguousarray(svr.support_vectors_),
        np.ascontiguousarray(svr.dual_coef_[0]),
        float(svr.gamma),
        float(svr.intercept_[0]),
    )


def fit_boosted(train: Part, seed: int) -> BoostedTrees:
    """Trees for the expected value and for two quantiles, whose interval is widened until it covers.

    Conformalised quantile regression (Romano, Patterson and Candès 2019): on a part that the quantiles were not fitted
    to, the margin is the quantile of how far values lie outside of their interval.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    from models.housing.boosted_graph import write_graph

    ends = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
    fitted, calibration = split(train, _CALIBRATION_SHARE, seed + 1)
    # OpenMP's threads wait for each other by spinning: where others compute too, two take a hundred times as long.
    with threadpool_limits(1):
        expected = HistGradientBoostingRegressor(**_TREES, random_state=seed).fit(train.x, train.y)
        low, high = (
            HistGradientBoostingRegressor(loss="quantile", quantile=end, **_ENDS, random_state=seed).fit(
                fitted.x, fitted.y
            )
            for end in ends
        )
    outside = np.maximum(low.predict(calibration.x) - calibration.y, calibration.y - high.predict(calibration.x))
    level = min(1.0, np.ceil((len(calibration) + 1) * COVERAGE) / len(calibration))
    margin = float(np.quantile(outside, level, method="higher"))
    return BoostedTrees(write_graph([expected, low, high], train.x.shape[1]), margin)


def r2(truth: Floats, predicted: Floats) -> float:
    """Coefficient of determination."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def measured(svr: RadialSvr, boosted: BoostedTrees, test: Part) -> dict[str, float]:
    """How good both are on `test`."""
    kernel, trees = svr.predict(test.x), boosted.predict(test.x)
    covered = (trees[:, 1] <= test.y) & (test.y <= trees[:, 2])
    return {
        "svr_r2": r2(test.y, kernel),
        "svr_mae": float(np.abs(kernel - test.y).mean()),
        "boosted_r2": r2(test.y, trees[:, 0]),
        "boosted_mae": float(np.abs(trees[:, 0] - test.y).mean()),
        "coverage": float(covered.mean()),
        "interval_width": float((trees[:, 2] - trees[:, 1]).mean()),
        "test_rows": len(test),
    }
