"""How long a prediction will take: a rule of thumb, corrected by the times this process has measured."""

import threading

from models._indicators import IndicatorSet
from models.imputation.spec import Interpolator, Model, Scheme, Spec

# Seconds on one core of a 2023 server (AMD EPYC 9004), from `benchmarks/imputation.py`; the correction below takes
# care of other machines.
_BASE_S = 0.02
_PER_TREE_S = {Model.rfr: 0.004, Model.etr: 0.003, Model.gbr: 0.012, Model.all: 0.019}
_SELECTION_S = {Scheme.MANUAL: 0.0, Scheme.AFS: 0.3, Scheme.PCA: 0.3}
_FIRST_OF_YEAR_S = {Interpolator.KNNImputer: 0.1, Interpolator.IterativeImputer: 12.0, Interpolator.SimpleImputer: 0.02}

# Weight of the newest measurement in the running mean.
_NEWEST = 0.3


class Timings:
    """Measured over expected time, as a running mean per kind of question. Safe for threads."""

    def __init__(self) -> None:
        self._ratios: dict[tuple[Scheme, Model, bool], float] = {}
        self._lock = threading.Lock()

    def record(self, spec: Spec, warm: bool, seconds: float) -> None:
        """Learn from a prediction that took `seconds`; `warm` tells whether level 1 of its year was known before."""
        ratio = seconds / rule_of_thumb_s(spec, warm)
        key = _kind(spec)
        with self._lock:
            known = self._ratios.get(key, ratio)
            self._ratios[key] = known + _NEWEST * (ratio - known)

    def estimate_s(self, spec: Spec, warm: bool) -> float:
        with self._lock:
            # A kind not seen yet is as much slower or faster here as the others are.
            seen = self._ratios.values()
            ratio = self._ratios.get(_kind(spec), sum(seen) / len(seen) if seen else 1.0)
        return rule_of_thumb_s(spec, warm) * ratio


def rule_of_thumb_s(spec: Spec, warm: bool) -> float:
    """Seconds that the question takes on the machine of the constants above."""
    trees = _PER_TREE_S[spec.model] * spec.estimators
    return _BASE_S + trees + _SELECTION_S[spec.scheme] + (0.0 if warm else _FIRST_OF_YEAR_S[spec.interpolator])


def _kind(spec: Spec) -> tuple[Scheme, Model, bool]:
    return spec.scheme, spec.model, spec.use_history


timings = Timings()


def estimate_s(data: IndicatorSet, spec: Spec) -> float:
    """Seconds that `predict` will take for this question, if its answer is not kept already."""
    from models.imputation.service import memory

    return round(timings.estimate_s(spec, memory.holds(data, spec.year, spec.interpolator)), 3)
