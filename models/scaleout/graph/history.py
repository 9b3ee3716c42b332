"""Summaries of similar past runs: what a stage took there, carried over to another data size and scale-out.

The run times of stages of one name and algorithm follow ln t = level + slope · ln size + slope · ln scale-out, a ridge
regression whose slopes have a prior, each run counting once however often it has the stage. Where a job has its place
in the run, what such jobs took more or less is added, shrunk by how many runs tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import Graph, ordered, scale_outs
from models.scaleout.records import Application, Context, JobExecution, Metrics

Floats = NDArray[np.float64]
Place = tuple[int, int]

# Slopes by data size and scale-out before a run is known, and how many runs' worth that knowledge is.
_PRIOR = np.array([0.6, -0.35])
_WORTH = np.array([0.25, 0.25])
# Runs that tell of a place in the run count against so many that would tell nothing.
_SHRINK = 1.5
FLOOR_S = 1e-3
SUMMARY = 9 + len(Metrics.names())


@dataclass(frozen=True)
class Row:
    """A stage that ran.

    Parameters
    ----------
    place : of its job in the run, and of itself in the job.
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
    """A finished job as the models see it."""

    job: JobExecution
    graph: Graph
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Anchor:
    """What past runs say of a stage.

    Attributes
    ----------
    features : (SUMMARY,) of them, without what depends on the place.
    """

    level: float
    mean_size: float
    mean_x: float
    slopes: Floats
    places: dict[Place, float]
    features: Floats
    sizes: Floats

    def base(self, log_size: float, place: Place) -> float:
        """ln s at the mean scale-out of the past runs."""
        return self.level + float(self.slopes[0]) * self.gap(log_size) + self.places.get(place, 0.0)

    def gap(self, log_size: float) -> float:
        return 0.0 if np.isnan(log_size) else log_size - self.mean_size

    def expected(self, row: Row) -> float:
        return self.base(row.log_size, row.place) + float(self.slopes[1]) * (row.log_x - self.mean_x)

    def summary(self, log_size: float, place: Place) -> Floats:
        """(SUMMARY,) numbers for the model."""
        found = self.features.copy()
        found[0] = self.gap(log_size)
        found[1] = self.places.get(place, 0.0)
        known = self.sizes[~np.isnan(self.sizes)]
        found[2] = 0.0 if np.isnan(log_size) or not known.size else float(np.abs(known - log_size).min())
        return found


def seen(run: Application, number: int = 0) -> list[Seen]:
    """The finished jobs of a run, in their order."""
    size = log_size(run.context)
    found = []
    for position, job in enumerate(ordered(run)):
        graph = Graph.of(job)
        rows = []
        for at, stage in enumerate(graph.stages):
            x = scale_outs(run, job, stage)[1]
            metrics = tuple(np.nan if value is None else float(value) for value in stage.metrics.values())
            log_s = float(np.log(max(stage.runtime_s or 0.0, FLOOR_S)))
            rows.append(Row(number, (position, at), np.log(x), size, log_s, metrics, stage.rescaling_time_ratio))
        found.append(Seen(job, graph, tuple(rows)))
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
    _rows: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    _tables: dict[tuple[str, str], _Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, run in enumerate(self.runs):
            jobs = seen(run, number)
            self.jobs.append(jobs)
            for one in jobs:
                for stage, row in zip(one.graph.stages, one.rows, strict=True):
                    # Also under no algorithm, and under no name: for what these runs have never done.
                    for key in ((run.context.algorithm, stage.name), (run.context.algorithm, ""), ("", "")):
                        self._rows.setdefault(key, []).append(row)

    def table(self, key: tuple[str, str]) -> _Table | None:
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
        self._anchors: dict[tuple[str, str], Anchor | None] = {}

    def anchor(self, algorithm: str, name: str) -> Anchor | None:
        """Of stages of this name; else of all stages of the algorithm; else of all. None where no run counts."""
        for rank, key in enumerate(((algorithm, name), (algorithm, ""), ("", ""))):
            if key not in self._anchors:
                self._anchors[key] = self._fit(key, rank)
            found = self._anchors[key]
            if found is not None:
                return found
        return None

    def _fit(self, key: tuple[str, str], rank: int) -> Anchor | None:
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
        places: dict[Place, float] = {}
        if rank == 0:
            by_place: dict[Place, list[float]] = {}
            for place, more in zip((p for p, c in zip(table.places, counts, strict=True) if c), rest, strict=True):
                by_place.setdefault(place, []).append(float(more))
            places = {
                place: float(np.median(more)) * len(more) / (len(more) + _SHRINK) for place, more in by_place.items()
            }
        features = np.zeros(SUMMARY)
        features[3:9] = (
            np.log1p(len(times)),
            np.sqrt((weight * rest**2).sum() / total),
            np.sqrt((weight * away[:, 1] ** 2).sum() / total),
            float(slopes[0]),
            rank / 2,
            (weight * numbers[:, 3]).sum() / total,
        )
        known = ~np.isnan(metrics)
        shares = (np.where(known, metrics, 0.0) * weight[:, None]).sum(0)
        features[9:] = shares / np.maximum((known * weight[:, None]).sum(0), 1e-9)
        mean_x = float(np.average(log_x, weights=weight))
        return Anchor(level, mean_size, mean_x, slopes, places, features, np.unique(sizes))
