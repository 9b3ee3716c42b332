"""Reasons to read an answer with care."""

from collections.abc import Sequence

import numpy as np

from models.imputation.spec import Caveat, Floats, Ints, Mask

FEW_ROWS = 20
FAR_YEARS = 5
LITTLE = 0.1
OUTSIDE = 0.5


def uninformed(observed_features: Mask, observed_anything: Mask, filled_by_mean: bool) -> Mask:
    """Rows about which the predictors know (almost) nothing: (n_rows,).

    That is when none of the predictors is observed and there is nothing to estimate them from: less than a tenth of
    all possible predictors, or a mean fill that never looks at the country.

    Args:
        observed_features: (n_rows, k) of the predictors used; observed_anything: (n_rows, p) of all possible ones.
    """
    blind: Mask = observed_features.mean(axis=1) < LITTLE
    if not filled_by_mean:
        blind &= observed_anything.mean(axis=1) < LITTLE
    return blind


def general(n_train: int, constant: bool, few_histories: bool) -> list[Caveat]:
    """Caveats that hold for the whole answer."""
    found = []
    if n_train < FEW_ROWS:
        found.append(Caveat(None, "few_training_rows", f"Only {n_train} countries have the target in this year."))
    if constant:
        found.append(Caveat(None, "constant_target", "The target has the same value in all countries that have it."))
    if few_histories:
        found.append(
            Caveat(
                None, "few_histories", "Too few countries have other years to learn how far series move between them."
            )
        )
    return found


def by_row(
    rows: Ints, blind: Mask, interpolated: Mask, history: Mask, gap_years: Ints, one_sided: Mask, outside: Floats
) -> list[Caveat]:
    """Caveats of single countries.

    Args:
        rows: (n_rows,) country indices; blind: see `uninformed`; interpolated: no predictor used is observed;
        history: own years used; gap_years: to the nearest of them; outside: share of the predictors out of range.
    """
    found = []
    for i, row in enumerate(int(row) for row in rows):
        if blind[i] and history[i]:
            message = "Almost nothing else is known of this country: the value rests on its own other years alone."
            found.append(Caveat(row, "own_history_only", message))
        elif blind[i]:
            message = "Almost nothing is known of this country in this year: the interval is the spread of the others."
            found.append(Caveat(row, "no_predictors_observed", message))
        elif interpolated[i]:
            message = "None of the predictors used is observed here; they were estimated from other indicators."
            found.append(Caveat(row, "predictors_interpolated", message))
        if history[i] and one_sided[i] and gap_years[i] > FAR_YEARS:
            message = f"The nearest observation of this country is {gap_years[i]} years away."
            found.append(Caveat(row, "far_history", message))
        if outside[i] >= OUTSIDE and not blind[i]:
            message = "Most predictors lie outside the range of the countries learnt from."
            found.append(Caveat(row, "outside_training_range", message))
    return found


def share_outside(X_train: Floats, X_rows: Floats) -> Floats:
    """Share of the columns in which a row (m, k) lies beyond the training rows (n, k): (m,)."""
    beyond = (X_rows < X_train.min(axis=0)) | (X_rows > X_train.max(axis=0))
    share: Floats = beyond.mean(axis=1)
    return share


def merged(*parts: Sequence[Caveat]) -> tuple[Caveat, ...]:
    return tuple(caveat for part in parts for caveat in part)


def nearest_gap(left: Ints, right: Ints) -> Ints:
    """Years to the nearest observation; 0 stands for none on a side."""
    big = np.iinfo(np.int64).max
    nearest = np.minimum(np.where(left > 0, left, big), np.where(right > 0, right, big))
    return np.where(nearest == big, 0, nearest)
