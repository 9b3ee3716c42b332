"""Indicators that repeat the target under another code, which would make imputation look better than it is."""

import numpy as np

from models.imputation.spec import Floats, Indicators, Ints

SAME = 0.995
ENOUGH = 10


def correlations(target: Floats, others: Floats) -> Floats:
    """Pearson r of `target` (n,) with each column of `others` (n, p) over common rows; 0 where undefined or rare."""
    common = np.isfinite(target)[:, None] & np.isfinite(others)
    count = common.sum(axis=0)
    safe = np.maximum(count, 1)
    x = np.where(common, target[:, None], 0.0)
    y = np.where(common, others, 0.0)
    x = np.where(common, x - x.sum(axis=0) / safe, 0.0)
    y = np.where(common, y - y.sum(axis=0) / safe, 0.0)
    scale_x = np.maximum(np.abs(x).max(axis=0, initial=0.0), np.finfo(float).tiny)
    scale_y = np.maximum(np.abs(y).max(axis=0, initial=0.0), np.finfo(float).tiny)
    x, y = x / scale_x, y / scale_y
    spread = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    defined = (count >= ENOUGH) & (spread > 0)
    return np.where(defined, (x * y).sum(axis=0) / np.where(defined, spread, 1.0), 0.0)


def clones_of(data: Indicators, year_values: Floats, target: int, columns: Ints) -> Ints:
    """Which of `columns` repeat `target`: |r| > .995 in the year over enough countries, or the same base code.

    Args:
        year_values: (n_countries, n_indicators) of the year.
        columns: indicator indices to look at.
    """
    alike = np.abs(correlations(year_values[:, target], year_values[:, columns])) > SAME
    code = data.base_codes[target]
    named = np.fromiter((data.base_codes[column] == code for column in columns), bool, len(columns))
    picked: Ints = columns[(alike | named) & (columns != target)]
    return picked
