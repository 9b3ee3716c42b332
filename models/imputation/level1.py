"""Level 1: the year's predictors without gaps, and the memory that keeps what they share between requests."""

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import numpy as np

from common.serving.progress import Stopped
from models.imputation.iterative import IterativeState
from models.imputation.knn import KnnState, scale_columns
from models.imputation.panel import Panel
from models.imputation.spec import Floats, Indicators, Interpolator, Ints, Mask

PREDICTOR_MISSING = 0.3
TARGET_MISSING = 0.8


def missing_share(values: Floats) -> Floats:
    """Share of countries without a value, by indicator, of (n_countries, n_indicators)."""
    share: Floats = np.isnan(values).mean(axis=0)
    return share


def predictor_mask(values: Floats) -> Mask:
    """Indicators observed in more than 70% of the countries: (n_indicators,)."""
    return missing_share(values) < PREDICTOR_MISSING


def target_mask(values: Floats) -> Mask:
    """Indicators missing somewhere and in less than 80% of the countries: (n_indicators,)."""
    share = missing_share(values)
    return (share > 0) & (share < TARGET_MISSING)


@dataclass(frozen=True)
class MeanState:
    """Every gap gets its column's mean; columns do not influence each other."""

    scaled: Floats

    @property
    def nbytes(self) -> int:
        return self.scaled.nbytes

    def fill(self, wanted: Ints, without: Ints) -> Floats:
        """(n_countries, k) scaled to 0..1."""
        columns = self.scaled[:, wanted]
        seen = np.isfinite(columns)
        means = np.where(seen, columns, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return np.where(seen, columns, means)


@dataclass(frozen=True)
class Level1:
    """One year under one interpolator.

    Attributes:
        columns: (n_columns,) indicator indices that may be predictors, ascending.
        observed: (n_countries, n_columns).
        panel: what the other years add.
    """

    columns: Ints
    observed: Mask
    state: KnnState | IterativeState | MeanState
    panel: Panel

    @property
    def nbytes(self) -> int:
        return self.columns.nbytes + self.observed.nbytes + self.state.nbytes + self.panel.nbytes

    def positions(self, indicators: Ints) -> Ints:
        """Column positions of those `indicators` that are columns here."""
        found = np.searchsorted(self.columns, indicators)
        inside = np.minimum(found, max(len(self.columns) - 1, 0))
        return found[self.columns[inside] == indicators] if len(self.columns) else found[:0]

    def fill(self, wanted: Ints, without: Ints) -> Floats:
        """(n_countries, k) of the wanted indicators, scaled to 0..1, uninfluenced by the indicators left out."""
        return self.state.fill(self.positions(wanted), self.positions(without))


_Key = tuple[str, int, Interpolator]


class Level1Memory:
    """Thread-safe memory of level-1 states, bounded in bytes, least recently used out first.

    A state is computed once even if several threads ask at the same time: the others wait for the first. A state larger
    than the bound is handed out but not kept.
    """

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self.max_bytes = max_bytes
        self._states: OrderedDict[_Key, Level1] = OrderedDict()
        self._pending: dict[_Key, Future[Level1]] = {}
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(state.nbytes for state in self._states.values())

    def __len__(self) -> int:
        with self._lock:
            return len(self._states)

    def holds(self, data: Indicators, year: int, interpolator: Interpolator) -> bool:
        """Whether the state of a year need not be computed."""
        with self._lock:
            return (data.digest, year, interpolator) in self._states

    def awaits(self, data: Indicators, year: int, interpolator: Interpolator) -> bool:
        """Whether a thread is computing the state of a year."""
        with self._lock:
            return (data.digest, year, interpolator) in self._pending

    def warm(self, data: Indicators, year: int, interpolator: Interpolator) -> None:
        """Compute a state before anybody asks, and import what requests will need."""
        import sklearn.tree  # noqa: F401 - the first request shall not wait for it

        self.get(data, year, interpolator)

    def get(self, data: Indicators, year: int, interpolator: Interpolator) -> Level1:
        """The state of a calendar year. Raises ValueError for a year that the data do not have."""
        key = (data.digest, year, interpolator)
        with self._lock:
            known = self._states.get(key)
            if known is not None:
                self._states.move_to_end(key)
                return known
            pending = self._pending.get(key)
            mine = pending is None
            if pending is None:
                pending = self._pending[key] = Future()
        if not mine:
            try:
                return pending.result()
            except Stopped:
                # Nobody waits for the one who computed it; for this one somebody does.
                return self.get(data, year, interpolator)
        try:
            state = self._build(data, year, interpolator)
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            pending.set_exception(error)
            raise
        with self._lock:
            self._states[key] = state
            del self._pending[key]
            while self._states and sum(kept.nbytes for kept in self._states.values()) > self.max_bytes:
                self._states.popitem(last=False)
        pending.set_result(state)
        return state

    def _build(self, data: Indicators, year: int, interpolator: Interpolator) -> Level1:
        values = year_values(data, year)
        columns = np.flatnonzero(predictor_mask(values))
        matrix = values[:, columns]
        state: KnnState | IterativeState | MeanState
        panel = None
        match interpolator:
            case Interpolator.SimpleImputer:
                state = MeanState(scale_columns(matrix))
            case Interpolator.KNNImputer:
                state = KnnState.build(matrix)
            case Interpolator.IterativeImputer:
                shared = self.get(data, year, Interpolator.KNNImputer)
                knn, panel = shared.state, shared.panel
                state = IterativeState.build(knn if isinstance(knn, KnnState) else KnnState.build(matrix))
        return Level1(columns, np.isfinite(matrix), state, panel or Panel.build(data, year))


def year_values(data: Indicators, year: int) -> Floats:
    """(n_countries, n_indicators) of a calendar year; infinities count as missing."""
    values = np.asarray(data.values[list(data.years).index(year)])
    return np.where(np.isfinite(values), values, np.nan)
