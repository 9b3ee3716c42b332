"""Indicators that repeat the target under another code, which would make imputation look better than it is."""

from dataclasses import dataclass

import numpy as np

from models.imputation.spec import Floats, Floats32, Indicators, Ints, Mask

SAME = 0.995
ENOUGH = 10
# A quick correlation below it needs no second look, unless what varies is so little of the whole that it is no good.
_NEARLY = 0.97
_LITTLE = 1e-3


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


@dataclass(frozen=True)
class Screen:
    """A table prepared to tell quickly which of its columns repeat one of them.

    Attributes:
        standard: (n, p) the columns with mean 0 and deviation 1, 0 where missing; seen: (n, p).
    """

    standard: Floats32
    seen: Mask

    @property
    def nbytes(self) -> int:
        return self.standard.nbytes + self.seen.nbytes

    @classmethod
    def of(cls, values: Floats) -> "Screen":
        seen = np.isfinite(values)
        count = np.maximum(seen.sum(axis=0), 1)
        zeros = np.where(seen, values, 0.0)
        # First to the size of 1, so that no square overflows.
        zeros /= np.maximum(np.abs(zeros).max(axis=0, initial=0.0), np.finfo(float).tiny)
        centred = np.where(seen, zeros - zeros.sum(axis=0) / count, 0.0)
        spread = np.sqrt((centred * centred).sum(axis=0) / count)
        standard = centred / np.where(spread > 0, spread, 1.0)
        return cls(np.ascontiguousarray(standard, np.float32), np.ascontiguousarray(seen))

    def repeating(self, values: Floats, column: int) -> Mask:
        """(p,) whether |r| with a column exceeds `SAME`: `correlations` is asked where sums of products leave a doubt.

        Args:
            values: (n, p) the table that this was made of.
        """
        rows = np.flatnonzero(self.seen[:, column])
        found = np.zeros(values.shape[1], bool)
        if len(rows) < ENOUGH:
            return found
        x, standard, seen = self.standard[rows, column], self.standard[rows], self.seen[rows].astype(np.float32)
        count, sum_x, power_x = np.stack([np.ones_like(x), x, x * x]) @ seen
        sum_y, product = np.stack([np.ones_like(x), x]) @ standard
        power_y = np.ones_like(x) @ (standard * standard)
        safe = np.maximum(count, 1)
        moving_x, moving_y = power_x - sum_x**2 / safe, power_y - sum_y**2 / safe
        sure = (moving_x > _LITTLE * power_x) & (moving_y > _LITTLE * power_y)
        r = (product - sum_x * sum_y / safe) / np.sqrt(np.where(sure, moving_x * moving_y, 1.0))
        doubted = np.flatnonzero((count >= ENOUGH) & (~sure | (np.abs(r) > _NEARLY)))
        found[doubted] = np.abs(correlations(values[:, column], values[:, doubted])) > SAME
        return found


def clones_of(data: Indicators, year_values: Floats, target: int, columns: Ints) -> Ints:
    """Which of `columns` repeat `target`: |r| > .995 in the year over enough countries, or the same base code.

    Args:
        year_values: (n_countries, n_indicators) of the year.
        columns: indicator indices to look at.
    """
    alike = np.abs(correlations(year_values[:, target], year_values[:, columns])) > SAME
    picked: Ints = columns[(alike | _same_code(data, target)[columns]) & (columns != target)]
    return picked


def all_clones(data: Indicators, year_values: Floats, screen: Screen, target: int) -> Ints:
    """`clones_of` among all indicators, quickly; `screen`: of the year."""
    repeating = screen.repeating(year_values, target) | _same_code(data, target)
    repeating[target] = False
    return np.flatnonzero(repeating)


def _same_code(data: Indicators, target: int) -> Mask:
    code = data.base_codes[target]
    return np.fromiter((other == code for other in data.base_codes), bool, len(data.base_codes))
