"""A question put together with its data, ready to be answered."""

from dataclasses import dataclass

import numpy as np

from common.serving import progress
from models.imputation.bounds import Bounds, Scale, bounds_of, scale_of
from models.imputation.clones import all_clones
from models.imputation.features import Candidates, candidates, chosen_columns, profiles
from models.imputation.level1 import Level1
from models.imputation.level2 import folds
from models.imputation.spec import Floats, ImputationError, Indicators, Ints, Mask, Scheme, Spec
from models.imputation.trees import seeded
from models.imputation.weights import balanced

MIN_TRAIN = 3
FOLDS = 5


@dataclass(frozen=True)
class Problem:
    """A question with its data: the target on the modelling scale and the filled predictors.

    Attributes:
        series: (n_years, n_countries) the target on the modelling scale; years: (n_years,).
        train, rows: country indices learnt from and asked for.
        y: (n_train,) on the modelling scale; w: (n_train,) balanced weights; fold: (n_train,).
        columns, fold_columns: positions among the candidates.
        levels, moves: (n_countries, q) what all years say of the countries in this one, see `features.profiles`.
    """

    spec: Spec
    sids: Mask
    years: Ints
    observed: Floats
    series: Floats
    train: Ints
    rows: Ints
    y: Floats
    w: Floats
    fold: Ints
    filled: Candidates
    columns: Ints
    fold_columns: list[Ints]
    levels: Floats
    moves: Floats
    bounds: Bounds
    scale: Scale

    @property
    def truth(self) -> Floats:
        """(n_train,) in the target's units."""
        return self.observed[self.train]

    def units(self, modelled: Floats) -> Floats:
        """From the modelling scale to the target's units, inside the bounds."""
        ends = self.scale.forward(np.array([self.bounds.low, self.bounds.high]))
        return self.bounds.clip(self.scale.inverse(np.clip(modelled, ends[0], ends[1])))


def pose(data: Indicators, values: Floats, level1: Level1, spec: Spec) -> Problem:
    sids = np.asarray(data.sids, dtype=bool)
    observed = values[:, spec.target]
    train = np.flatnonzero(np.isfinite(observed))
    if len(train) < MIN_TRAIN:
        raise ImputationError(
            f"{data.indicators[spec.target]} is observed in {len(train)} countries in {spec.year}; "
            f"at least {MIN_TRAIN} are needed, try another year"
        )
    raw = np.asarray(data.values[:, :, spec.target])
    raw = np.where(np.isfinite(raw), raw, np.nan)
    unit = data.units[spec.target]
    scale = scale_of(observed[train], unit)
    clones = all_clones(data, values, level1.panel.here, spec.target)
    # Few predictors have to be filled anew, as a rule.
    with progress.part(0.0, 0.2):
        filled = candidates(data, level1, clones, spec)
    y = scale.forward(observed[train])
    w = balanced(sids[train])
    n_folds = min(len(train), FOLDS if len(train) >= 60 or spec.scheme is Scheme.AFS else 2 * FOLDS)
    fold = folds(train, sids[train], n_folds, seeded(spec.seed, 1))
    X = np.ascontiguousarray(filled.filled[train], dtype=np.float32)
    with progress.part(0.2, 1.0):
        columns, fold_columns = chosen_columns(spec, filled.filled, X, y, w, fold)
    return Problem(
        spec,
        sids,
        np.array(data.years, dtype=np.int64),
        observed,
        scale.forward(raw),
        train,
        np.flatnonzero(sids & ~np.isfinite(observed)),
        y,
        w,
        fold,
        filled,
        columns,
        fold_columns,
        *profiles(level1.panel, clones, spec),
        bounds_of(raw, sids, unit),
        scale,
    )
