"""How the time of a prediction divides among its steps, so that the progress that a job shows is in proportion to it.

The times are of `world` and `sids_small` on one core, rounded; what counts is how they compare.
"""

from models.imputation.spec import Interpolator, Model, Scheme, Spec

_FILL_MS = {Interpolator.SimpleImputer: 60.0, Interpolator.KNNImputer: 70.0, Interpolator.IterativeImputer: 2000.0}
_SELECT_MS = {Scheme.MANUAL: 15.0, Scheme.AFS: 130.0, Scheme.PCA: 30.0}
_TREE_MS, _STAGE_MS = 0.16, 0.12
_FOREST_INTERVAL_MS = 15.0
# Trees that are grown for a choice (5 folds, at most 100 trees) and boosting stages (5 folds, 3 depths).
_FOLDS, _FOLD_TREES, _FOLD_STAGES = 5, 100, 15
# Stages for the interval, for each that is asked for: two ends or a dozen bags.
_INTERVAL_STAGES = 12


def steps(spec: Spec, warm: bool) -> tuple[float, float]:
    """Where in 0..1 the predictors are filled, and where they are chosen; `warm`: level 1 is known already."""
    fill = 1.0 if warm else _FILL_MS[spec.interpolator]
    select = _SELECT_MS[spec.scheme]
    # Some questions are answered in one way, some in two.
    total = fill + select + 1.5 * sum(_solving_ms(spec.model, spec.estimators))
    return fill / total, (fill + select) / total


def solving(model: Model, estimators: int) -> tuple[float, float]:
    """Where in 0..1 of an answer a learner is chosen, and where it has learnt; the interval is the rest."""
    choose, learn, interval = _solving_ms(model, estimators)
    total = choose + learn + interval
    return choose / total, (choose + learn) / total


def _solving_ms(model: Model, estimators: int) -> tuple[float, float, float]:
    forest = _FOLDS * min(estimators, _FOLD_TREES) * _TREE_MS, estimators * _TREE_MS, _FOREST_INTERVAL_MS
    stages = estimators * _STAGE_MS
    boosted = _FOLD_STAGES * stages, stages, _INTERVAL_STAGES * stages
    if model is Model.all:
        # All three are tried, one goes on: in most cases a forest.
        return 2 * forest[0] + boosted[0], forest[1], forest[2]
    return boosted if model is Model.gbr else forest
