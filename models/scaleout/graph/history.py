"""Summaries of similar past runs: what a stage took there, carried over to another data size and scale-out.

The run times of stages of one algorithm, name and place in their job follow ln t = level + slope · ln size + slope · ln
scale-out, a ridge regression whose slopes have a prior, each run counting once however often it has the stage. For each
place of the job in the run, what is left is fitted likewise, drawn to nothing: the first pass over the data reads them,
the later ones do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import Graph, longest_path, ordered, scale_outs
from models.scaleout.records import Application, Context, JobExecution, Metrics

Floats = NDArray[np.float64]
Place = tuple[int, int]
Key = tuple[str, str, int]

# Slopes by data size and scale-out before a run is known, and how many runs' worth that knowledge is.
_PRIOR = np.array([0.6, -0.35])
_WORTH = np.array([0.25, 0.25])
# What a place says of level and slopes counts against so many runs that would say nothing; and outliers up to here.
_SHRINK = np.array([1.0, 1.0, 1.0])
_CLIP = 2.0
FLOOR_S = 1e-3
SUMMARY = 9 + len(Metrics.names())


@dataclass(frozen=True)
class Row:
    """A stage that ran.

    Parameters
    ----------
    place : number of its job, which Spark counts from 0 in every application, and its place in the job.
    log_s : natural logarithm of its seconds.
    """

    run: int
    place: Place
    log_x: float
    log_size: float
    log_s: float
    metrics: tuple[float, ...]
    overhead: float


@dataclass(frozen=True)
class Seen:
    """A finished job as the models see it.

    Parameters
    ----------
    path_s : seconds of the longest path through its stages, as they were.
    """

    job: JobExecution
    graph: Graph
    rows: tuple[Row, ...]
    path_s: float


_NOTHING = np.zeros(3)


@dataclass(frozen=True)
class Anchor:
    """What past runs say of a stage.

    Attributes
    ----------
    places : level and slopes that a place adds.
    features : (SUMMARY,) of them, without what depends on the place.
    """

    level: float
    mean_size: float
    mean_x: float
    slopes: Floats
    places: dict[Place, Floats]
    features: Floats
    sizes: Floats

    def base(self, log_size: float, place: Place) -> float:
        """ln s at the mean scale-out of the past runs."""
        more = self.places.get(place, _NOTHING)
        return float(self.level + more[0] + (self.slopes[0] + more[1]) * self.gap(log_size))

    def slope(self, place: Place) -> float:
        """By ln scale-out."""
        return float(self.slopes[1] + self.places.get(place, _NOTHING)[2])

    def gap(self, log_size: float) -> float:
        return 0.0 if np.isnan(log_size) else log_size - self.mean_size

    def expected(self, row: Row) -> float:
        return self.base(row.log_size, row.place) + self.slope(row.place) * (row.log_x - self.mean_x)

    def summary(self, log_size: float, place: Place) -> Floats:
        """(SUMMARY,) numbers for the model."""
        found = self.features.copy()
        found[0] = self.gap(log_size)
        found[1] = self.places.get(place, _NOTHING)[0]
        known = self.sizes[~np.isnan(self.sizes)]
        found[2] = 0.0 if np.isnan(log_size) or not known.size else float(np.abs(known - log_size).min())
        return found


def seen(run: Application, number: int = 0) -> list[Seen]:
    """The jobs of a run in their order."""
    size = log_size(run.context)
    found = []
    for job in ordered(run):
        graph = Graph.of(job)
        rows = []
        for at, stage in enumerate(graph.stages):
            x = scale_outs(run, job, stage)[1]
            metrics = tuple(np.nan if value is None else float(value) for value in stage.metrics.values())
            log_s = float(np.log(max(stage.runtime_s or 0.0, FLOOR_S)))
            rows.append(Row(number, (job.job_id, at), np.log(x), size, log_s, metrics, stage.rescaling_time_ratio))
        times = np.exp([row.log_s for row in rows])
        found.append(Seen(job, graph, tuple(rows), float(longest_path(times, graph.parents)) if rows else 0.0))
    return found


def log_size(context: Context) -> float:
    """Natural logarithm of the MB; NaN where they are not told."""
    size = context.data_size_mb
    return float(np.log(size)) if size is not None and np.isfinite(size) and size > 0 else float("nan")


@dataclass(frozen=True)
class _Table:
    """The rows of one name as columns."""

    run: NDArray[np.int64]
    places: list[Place]
    numbers: Floats
    metrics: Floats


@dataclass
class History:
    """Past runs, looked up by stage."""

    runs: Sequence[Application]
    jobs: list[list[Seen]] = field(default_factory=list)
    _rows: dict[Key, list[Row]] = field(default_factory=dict)
    _tables: dict[Key, _Table] = field(default_factory=dict)
    _all: "Past | None" = None

    def __post_init__(self) -> None:
        for number, run in enumerate(self.runs):
            jobs = seen(run, number)
            self.jobs.append(jobs)
            for one in jobs:
                for stage, row in zip(one.graph.stages, one.rows, strict=True):
                    # Also under no algorithm, and under no name: for what these runs have never done.
                    for key in keys_of(run.context.algorithm, stage.name, row.place[1]):
                        self._rows.setdefault(key, []).append(row)

    def past(self, without: str = "") -> "Past":
        """All runs but one. The answer to most questions, so that it is kept with all that was computed."""
        if any(run.execution_id == without for run in self.runs):
            return Past(self, np.array([run.execution_id != without for run in self.runs], dtype=bool))
        if self._all is None:
            self._all = Past(self)
        return self._all

    def table(self, key: Key) -> _Table | None:
        found = self._tables.get(key)
        if found is None and key in self._rows:
            rows = self._rows[key]
            numbers = np.array([(row.log_x, row.log_size, row.log_s, row.overhead) for row in rows])
            metrics = np.array([row.metrics for row in rows])
            found = _Table(np.array([row.run for row in rows]), [row.place for row in rows], numbers, metrics)
            self._tables[key] = found
        return found


class Past:
    """The runs of a history that count for one question.

    Parameters
    ----------
    allowed : (n_runs,) whether a run counts; all by default.
    """

    def __init__(self, history: History, allowed: NDArray[np.bool_] | None = None) -> None:
        self.history = history
        self._allowed = np.ones(len(history.runs), dtype=bool) if allowed is None else allowed
        self._anchors: dict[Key, Anchor | None] = {}

    def anchor(self, algorithm: str, name: str, at: int) -> Anchor | None:
        """Of stages of this name and place in their job; else of the name; else of the algorithm; else of all.

        None where no run counts.
        """
        for rank, key in enumerate(keys_of(algorithm, name, at)):
            if key not in self._anchors:
                self._anchors[key] = self._fit(key, rank)
            found = self._anchors[key]
            if found is not None:
                return found
        return None

    def _fit(self, key: Key, rank: int) -> Anchor | None:
        table = self.history.table(key)
        if table is None:
            return None
        counts = self._allowed[table.run]
        if not counts.any():
            return None
        run, numbers, metrics = table.run[counts], table.numbers[counts], table.metrics[counts]
        _, which, times = np.unique(run, return_inverse=True, return_counts=True)
        weight = 1.0 / times[which]
        total = weight.sum()
        log_x, log_s = numbers[:, 0], numbers[:, 2]
        sizes = numbers[:, 1]
        told = ~np.isnan(sizes)
        mean_size = float(np.average(sizes[told], weights=weight[told])) if told.any() else 0.0
        away = np.column_stack([np.where(told, sizes - mean_size, 0.0), log_x - np.average(log_x, weights=weight)])
        level = float(np.average(log_s, weights=weight))
        spread = (away * weight[:, None]).T @ away + np.diag(_WORTH)
        slopes = _PRIOR + np.linalg.solve(spread, (away * weight[:, None]).T @ (log_s - level - away @ _PRIOR))
        rest = log_s - level - away @ slopes
        places = _by_place([p for p, c in zip(table.places, counts, strict=True) if c], away, rest) if rank == 0 else {}
        features = np.zeros(SUMMARY)
        features[3:9] = (
            np.log1p(len(times)),
            np.sqrt((weight * rest**2).sum() / total),
            np.sqrt((weight * away[:, 1] ** 2).sum() / total),
            float(slopes[0]),
            rank / 3,
            (weight * numbers[:, 3]).sum() / total,
        )
        known = ~np.isnan(metrics)
        shares = (np.where(known, metrics, 0.0) * weight[:, None]).sum(0)
        features[9:] = shares / np.maximum((known * weight[:, None]).sum(0), 1e-9)
        mean_x = float(np.average(log_x, weights=weight))
        return Anchor(level, mean_size, mean_x, slopes, places, features, np.unique(sizes))


def keys_of(algorithm: str, name: str, at: int) -> tuple[Key, ...]:
    """Under which a stage is known, the narrowest first."""
    return (algorithm, name, at), (algorithm, name, -1), (algorithm, "", -1), ("", "", -1)


def _by_place(places: Sequence[Place], away: Floats, rest: Floats) -> dict[Place, Floats]:
    """Level and slopes of what is left at each place."""
    rows: dict[Place, list[int]] = {}
    for row, place in enumerate(places):
        rows.setdefault(place, []).append(row)
    found = {}
    for place, mine in rows.items():
        left = rest[mine]
        middle = float(np.median(left))
        left = np.clip(left, middle - _CLIP, middle + _CLIP)
        design = np.column_stack([np.ones(len(mine)), away[mine]])
        found[place] = np.linalg.solve(design.T @ design + np.diag(_SHRINK), design.T @ left)
    return found
