"""placeholder"""

from models._indicators import IndicatorSet
from models.imputation.spec import Spec


def estimate_s(data: IndicatorSet, spec: Spec) -> float:
    return 1.0
