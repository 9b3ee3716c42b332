"""The real data sets, where they are, and the requests that the first dashboard is known by."""

from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
INDICATORS = CHECKOUT.parent / "shared" / "data" / "indicators"

MANUAL: dict[str, Any] = {
    "manual_predictors": ["wdi-AG.LND.AGRI.K2"],
    "target_year": "2001",
    "target": "key-wdi-EG.ELC.ACCS.ZS",
    "interpolator": "KNNImputer",
    "scheme": "MANUAL",
    "estimators": 10,
    "model": "rfr",
    "interval": "quantile",
}
AFS: dict[str, Any] = {
    "number_predictor": 10,
    "target_year": "2001",
    "target": "key-wdi-EG.ELC.ACCS.ZS",
    "interpolator": "KNNImputer",
    "scheme": "AFS",
    "estimators": 100,
    "model": "rfr",
    "interval": "quantile",
}


def real_dataset(name: str) -> Path:
    """The folder of a real data set; skips the test where it is absent."""
    folder = INDICATORS / name
    if not folder.is_dir():
        pytest.skip(f"the real data set {name} is not in ../shared/data/indicators")
    return folder
