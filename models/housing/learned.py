"""What the serving models learned from: districts of the training, as the support vectors hold them, and ranges."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.housing.artefact import Trained
from models.housing.features import FEATURES

Floats = NDArray[np.float64]

# Enough for a map, and little enough to be sent.
SHOWN = 2000
# In the order of the figures: what a person would write of a district.
_DIGITS = (4, 0, 2, 2, 0, 2, 2, 2)
_PRICE_DIGITS = 3
_PERCENTILES: Mapping[str, float] = {"least": 0, "low": 1, "median": 50, "high": 99, "most": 100}


def learned_from(models: Trained) -> dict[str, Any]:
    """Ranges of the figures, and some districts with the price that the trees predict; some 30 ms.

    The support vectors are those districts of the training part whose price the regression misses by more than its
    margin: three quarters of them, so that their ranges are those of the training.

    Returns
    -------
    `ranges`: by figure least, 1st percentile, median, 99th percentile and most; `columns`: the figures, then
    `prediction`; `rows`: at most `SHOWN` districts, evenly out of all.
    """
    svr = models.svr
    known: Floats = svr.vectors * svr.scale + svr.centre
    shown = _rounded(known[np.linspace(0, len(known) - 1, min(SHOWN, len(known))).round().astype(int)])
    prices = models.boosted.predict(shown)[:, 0].round(_PRICE_DIGITS)
    ends = _rounded(np.percentile(known, list(_PERCENTILES.values()), axis=0))
    return {
        "districts": len(known),
        "ranges": {
            name: dict(zip(_PERCENTILES, ends[:, at].tolist(), strict=True)) for at, name in enumerate(FEATURES)
        },
        "columns": [*FEATURES, "prediction"],
        "rows": np.column_stack([shown, prices]).tolist(),
    }


def _rounded(rows: Floats) -> Floats:
    """(n, 8), so that what is asked with these figures gets the price that stands beside them."""
    return np.stack([rows[:, at].round(digits) for at, digits in enumerate(_DIGITS)], axis=1)
