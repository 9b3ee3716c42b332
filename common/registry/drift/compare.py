"""How far a column of a sample is from the same column of a reference: PSI, and a test. Pure.

PSI, the population stability index (Siddiqi, Credit Risk Scorecards, 2006), is the sum over bins of (q - p) ln(q / p),
where p and q are the shares of reference and sample: ten bins of equal shares of the reference, or a bin a category.
Below 0.1 nothing has changed to speak of, above 0.25 much has. By chance alone it is about (bins - 1) (1/n + 1/m)
(Yurdakul and Naranjo, Statistical properties of the population stability index, 2020), so a verdict also needs a test
that says so: Kolmogorov and Smirnov's for numbers, chi-squared for categories, both of SciPy.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from common.registry.drift.columns import INPUT, LENGTH, OUTPUT
from common.registry.drift.definitions import ColumnDrift, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Floats = NDArray[np.float64]

MODERATE, MAJOR = 0.1, 0.25
_SURE = 0.01
_BINS = 10
# A column of so few different numbers is one of categories: classes, counts, flags.
_FEW = 20
_MOST_CATEGORIES = 50


def compare(reference: "Mapping[str, Array]", sample: "Mapping[str, Array]") -> list[ColumnDrift]:
    """Each column that both have, the most changed one first. Texts of one of them are compared by their lengths where
    the other one has nothing else.
    """
    reference, sample = with_lengths(reference, sample), with_lengths(sample, reference)
    found = [column_drift(name, reference[name], sample[name]) for name in sample if name in reference]
    return sorted(found, key=lambda item: (-item.psi, item.column))


def with_lengths(table: "Mapping[str, Array]", other: "Mapping[str, Array]") -> "dict[str, Array]":
    """The table, and lengths of its texts where the other one has them."""
    lengths = {
        name + LENGTH: np.array([len(text) for text in column.tolist()], np.float64)
        for name, column in table.items()
        if column.dtype.kind == "U" and name + LENGTH in other
    }
    return dict(table) | lengths


def column_drift(name: str, reference: "Array", sample: "Array") -> ColumnDrift:
    """
    Parameters
    ----------
    reference, sample : (n,) and (m,), one or more each: numbers, NaN where there is none, or texts.
    """
    is_text = reference.dtype.kind == "U" or sample.dtype.kind == "U"
    missing = [_share(_missing(column)) for column in (reference, sample)]
    if is_text:
        return _of_categories(name, reference.astype(np.str_), sample.astype(np.str_), missing, [None, None])
    left, right = _numbers(reference), _numbers(sample)
    means = [_mean(column) for column in (left, right)]
    if np.unique(left).size <= _FEW:
        return _of_categories(name, _labels(reference), _labels(sample), missing, means)
    return _of_numbers(name, left, right, (reference.size, sample.size), missing, means)


def psi(reference: "Floats", sample: "Floats") -> float:
    """Population stability index of two histograms: (n_bins,) counts each.

    Half a row is added to each bin, so that empty ones have a logarithm.
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * counts.size) for counts in (reference, sample))
    return float(np.sum((q - p) * np.log(q / p)))


def _of_numbers(
    name: str,
    left: "Floats",
    right: "Floats",
    sizes: tuple[int, int],
    missing: list[float],
    means: list[float | None],
) -> ColumnDrift:
    from scipy.stats import ks_2samp

    # Between two numbers of the reference the lower one: half-way may be beyond what a number may be.
    edges = np.unique(np.quantile(left, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    counts = [np.bincount(np.searchsorted(edges, column), minlength=edges.size + 1) for column in (left, right)]
    # What is missing is a bin too, where something is.
    gaps = [size - column.size for size, column in zip(sizes, (left, right), strict=True)]
    if any(gaps):
        counts = [np.append(count, gap) for count, gap in zip(counts, gaps, strict=True)]
    index = psi(counts[0].astype(np.float64), counts[1].astype(np.float64))
    if right.size:
        # The exact distribution takes seconds for thousands of rows.
        told = ks_2samp(left, right, method="asymp")
        statistic, p_value = float(told.statistic), float(told.pvalue)
    else:
        statistic, p_value = 1.0, 0.0
    # The test knows nothing of what is missing.
    sure = min(p_value, _of_table(np.array([[s - g, g] for s, g in zip(sizes, gaps, strict=True)]))[1])
    return _told(name, "number", index, statistic, p_value, missing, means, sure)


def _of_categories(
    name: str, reference: "Array", sample: "Array", missing: list[float], means: list[float | None]
) -> ColumnDrift:
    """Categories beyond the most frequent ones of the reference are one."""
    values, counts = np.unique(reference, return_counts=True)
    known = values[np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]]
    known.sort()
    table = np.array([_counted(column, known) for column in (reference, sample)])
    index = psi(table[0].astype(np.float64), table[1].astype(np.float64))
    statistic, p_value = _of_table(table)
    return _told(name, "category", index, statistic, p_value, missing, means, p_value)


def _counted(column: "Array", known: "Array") -> "Array":
    at = np.searchsorted(known, column).clip(max=known.size - 1)
    place = np.where(known[at] == column, at, known.size)
    return np.bincount(place, minlength=known.size + 1)


def _of_table(table: "Array") -> tuple[float, float]:
    """Chi-squared statistic and p-value of counts, (2, n_categories); those that nobody has are left out."""
    from scipy.stats import chi2_contingency

    seen = table[:, table.sum(axis=0) > 0]
    if seen.shape[1] < 2:
        return 0.0, 1.0
    told = chi2_contingency(seen, correction=False)
    return float(told.statistic), float(told.pvalue)


def _told(
    name: str,
    kind: Literal["number", "category"],
    index: float,
    statistic: float,
    p_value: float,
    missing: list[float],
    means: list[float | None],
    sure: float,
) -> ColumnDrift:
    verdict = Verdict.STABLE
    if sure < _SURE and index >= MODERATE:
        verdict = Verdict.MAJOR if index > MAJOR else Verdict.MODERATE
    return ColumnDrift(
        column=name,
        kind=kind,
        psi=index,
        test="ks" if kind == "number" else "chi2",
        statistic=statistic,
        p_value=p_value,
        missing=missing[1],
        missing_reference=missing[0],
        mean=means[1],
        mean_reference=means[0],
        verdict=verdict,
    )


def _missing(column: "Array") -> "Array":
    return column == "" if column.dtype.kind == "U" else ~np.isfinite(column.astype(np.float64))


def _share(of: "Array") -> float:
    return float(of.astype(np.float64).mean()) if of.size else 0.0


def _mean(numbers: "Floats") -> float | None:
    """None where there is none, or it is beyond what a number may be."""
    with np.errstate(all="ignore"):
        mean = float(numbers.mean()) if numbers.size else math.nan
    return mean if math.isfinite(mean) else None


def _numbers(column: "Array") -> "Floats":
    numbers = column.astype(np.float64)
    return numbers[np.isfinite(numbers)]


def _labels(column: "Array") -> "Array":
    """Numbers as categories; what is missing is one."""
    numbers = column.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers + 0.0, np.nan).astype(np.str_)


def not_compared(reference: "Mapping[str, Array]", sample: "Mapping[str, Array]") -> list[str]:
    """Columns of the sample that the reference does not have."""
    reference, sample = with_lengths(reference, sample), with_lengths(sample, reference)
    return sorted(name for name in sample if name not in reference and name.startswith((INPUT, OUTPUT)))
