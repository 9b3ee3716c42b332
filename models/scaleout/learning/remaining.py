"""How long a run will still take, after each of its jobs: boosted trees over how it compares with the runs before it.

Learnt is the logarithm of what was left, divided by the median of what was left of the runs before, by the absolute
error and weighted by that median, so that a second counts as a second; all applications are learnt together. The
intervals are conformal: of the errors that a model of the older runs makes at the newer ones. What it says holds for
runs that are steered as those before were; another scale-out is answered by the ratio of the curves of Ellis.

The trees' settings are a first guess whose figures for all published runs had been seen. How little hangs on them: four
settings tried on runs 11-45 alone err by 90.0 to 91.3 s there, these by 90.4 s.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scaleout.learning.context import ContextModel
from models.scaleout.learning.course import Course, compare
from models.scaleout.learning.ellis import Ellis
from models.scaleout.learning.intervals import Spread
from models.scaleout.records import Application, Forecast

Floats = NDArray[np.float64]

# Names in forecasts; with too little history the context model's or Ellis's name is given instead.
NAME, FEW_RUNS = "boosted-trees", "scaled-median"
# A run is learnt from when so many came before it; trees are grown from so many rows.
_BEFORE, _FEWEST_ROWS = 3, 60
# The older share of the runs, whose model makes the errors that the intervals are of.
_OLDER = 0.6
_SHARE_OF_SLOWDOWN = 0.5
_SHORTEST_S = 0.05
_FEW_DEVIATION = 0.35


def comparable(run: Application) -> Hashable:
    """Runs with the same are compared job by job: what is run, never what it is wanted to take."""
    context = run.context
    return context.system, context.algorithm, run.signature or (context.arguments, context.data_size_mb)


@dataclass(frozen=True)
class Rows:
    """What is learnt from.

    Attributes
    ----------
    features : (n, n_features); usual_s : (n,) medians of the runs before; left_s : (n,) what was left.
    starts_s : (n,) of the runs, so that older and newer can be told.
    """

    features: Floats
    usual_s: Floats
    left_s: Floats
    starts_s: Floats

    @classmethod
    def of(cls, history: Iterable[Application]) -> "Rows":
        """Of ended runs: each is compared, after each of its jobs, with those that started before it."""
        groups: dict[Hashable, list[tuple[float, Course]]] = {}
        for run in history:
            if run.end_s is not None and (course := Course.of(run)) is not None:
                groups.setdefault(comparable(run), []).append((run.start_s or 0.0, course))
        rows: list[tuple[Floats, float, float, float]] = []
        for group in groups.values():
            group.sort(key=lambda each: each[0])
            before = [course for _, course in group]
            for place in range(_BEFORE, len(group)):
                start, course = group[place]
                rows += [
                    (*compared, max((course.total_s or 0.0) - course.elapsed_s[ended - 1], _SHORTEST_S), start)
                    for ended in range(1, len(course.elapsed_s))
                    if (compared := compare(course, ended, before[:place])) is not None
                ]
        if not rows:
            return cls(np.empty((0, 0)), np.empty(0), np.empty(0), np.empty(0))
        features, usual, left, starts = zip(*rows, strict=True)
        return cls(np.array(features), np.array(usual), np.array(left), np.array(starts))

    def where(self, chosen: NDArray[np.bool_]) -> "Rows":
        return Rows(self.features[chosen], self.usual_s[chosen], self.left_s[chosen], self.starts_s[chosen])


@dataclass(frozen=True)
class Boosted:
    """Trees, and how wrong their like was."""

    trees: Any
    spread: Spread

    @classmethod
    def fit(cls, rows: Rows) -> "Boosted | None":
        """None where there are too few rows."""
        boundary = np.quantile(rows.starts_s, _OLDER) if rows.starts_s.size else 0.0
        older, newer = rows.where(rows.starts_s <= boundary), rows.where(rows.starts_s > boundary)
        if min(older.starts_s.size, newer.starts_s.size) < _FEWEST_ROWS:
            return None
        errors = np.log(newer.left_s / newer.usual_s) - _grow(older).predict(newer.features)
        # The errors of one run hang together, so that there are no more of them than runs.
        return cls(_grow(rows), Spread.of(errors, independent=np.unique(newer.starts_s).size))

    def predict(self, features: Floats, usual_s: Floats) -> list[Forecast]:
        """Of rows (n, n_features) and their medians (n,)."""
        return self.spread.forecasts(self.trees.predict(features) + np.log(usual_s), 1.0, NAME)


def _grow(rows: Rows) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=120,
        learning_rate=0.08,
        max_leaf_nodes=12,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return trees.fit(rows.features, np.log(rows.left_s / rows.usual_s), sample_weight=rows.usual_s)


@dataclass(frozen=True)
class RemainingModel:
    """What is left of runs.

    Attributes
    ----------
    history : ended runs of all applications, the oldest first.
    """

    history: tuple[Application, ...]
    boosted: Boosted | None

    @classmethod
    def fit(cls, history: Sequence[Application]) -> "RemainingModel":
        """Of any applications; runs that have not ended are left out."""
        ended = sorted((run for run in history if run.end_s is not None), key=lambda run: run.start_s or 0.0)
        return cls(tuple(ended), Boosted.fit(Rows.of(ended)))

    def predict(self, run: Application, scale_outs: Sequence[float]) -> list[Forecast]:
        """What is left of `run`, after its finished jobs, if it goes on at each scale-out (executors).

        A run none of whose jobs has ended is answered by Ellis, one without comparable runs by the context model.
        """
        same = [
            other
            for other in self.history
            if comparable(other) == comparable(run) and other.execution_id != run.execution_id
        ]
        course = Course.of(run)
        if not same:
            return self._whole(run, course, scale_outs)
        before = [each for other in same if (each := Course.of(other)) is not None]
        compared = None if course is None else compare(course, len(course.elapsed_s), before)
        if not before:
            return self._whole(run, course, scale_outs)
        ellis = Ellis.fit(same)
        if compared is None or course is None:
            return ellis.predict(run, scale_outs)
        features, usual = compared
        if self.boosted is not None:
            (left,) = self.boosted.predict(features[None], np.array([usual]))
        else:
            log = np.log(usual) + _SHARE_OF_SLOWDOWN * features[0]
            (left,) = Spread.normal().forecasts(log, _FEW_DEVIATION, FEW_RUNS)
        now = next((job.end_scale_out or job.start_scale_out for job in reversed(list(run.jobs)) if job.end_s), None)
        if not now:
            return [left] * len(scale_outs)
        done = [job.job_id for job in run.jobs if job.end_s is not None]
        curve = ellis.remaining(done, [float(now), *scale_outs])
        return [_scaled(left, float(ratio)) for ratio in curve[1:] / max(float(curve[0]), _SHORTEST_S)]

    def _whole(self, run: Application, course: Course | None, scale_outs: Sequence[float]) -> list[Forecast]:
        """The whole run's time by its context, less what has passed."""
        passed = 0.0 if course is None else float(course.elapsed_s[-1])
        return [
            _less(whole, passed)
            for whole in ContextModel.fit(self.history, run.context).predict(run.context, scale_outs)
        ]


def _scaled(left: Forecast, ratio: float) -> Forecast:
    return _changed(left, lambda seconds: seconds * ratio)


def _less(whole: Forecast, passed_s: float) -> Forecast:
    """At least a tenth of the run is supposed to be left while it goes on."""
    return _changed(whole, lambda seconds: max(seconds - passed_s, 0.1 * seconds))


def _changed(forecast: Forecast, change: Callable[[float], float]) -> Forecast:
    return Forecast(
        change(forecast.median_s),
        change(forecast.low80_s),
        change(forecast.high80_s),
        change(forecast.low90_s),
        change(forecast.high90_s),
        forecast.model,
    )
