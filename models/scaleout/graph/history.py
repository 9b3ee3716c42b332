"""Summaries of similar past runs: what a stage took there, carried over to another data size and scale-out.

The run times of stages of one algorithm, name and place in their job are t = a + b·s + (c + d·s)·w, with the data size
s and the share w of its tasks that one slot has to do; none of the four is negative. So a stage that mostly waits takes
no longer for more data, as by a power of the size it would. It is Ernest's form (see `learning.ernest`) with whole
waves of tasks. Relative errors count, each run once however often it has the stage; a prior takes each part for a
quarter. What is left at each place of the job in the run is a factor, drawn to 1: the first pass over the data reads
them, the later ones do not.
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

# The prior of each part is worth so many runs.
_WORTH = 0.05
# What a place says counts against so many runs that would say nothing; and outliers up to here from its median.
_SHRINK, _CLIP = 1.0, 0.7
FLOOR_S = 1e-3
# Sizes beyond so many e-folds from those known are taken as at that border: no number runs over.
_FARTHEST = 15.0
_RATIOS = 8
SUMMARY = _RATIOS + len(Metrics.names())
METRICS_AT = slice(_RATIOS, SUMMARY)


@dataclass(frozen=True)
class Row:
    """A stage that ran.

    Parameters
    ----------
    place : number of its job, which Spark counts from 0 in every application, and its place in the job.
    share : of its tasks that one slot has to do, see `shares`.
    log_s : natural logarithm of its seconds.
    """

    run: int
    place: Place
    log_x: float
    share: float
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


@dataclass(frozen=True)
class Anchor:
    """What past runs say of a stage.

    Attributes
    ----------
    parts : (4,) seconds: always, by the size, by the share of the tasks, by both; sizes are in `mean_size`.
    mean_size : geometric mean MB of the past runs, as its natural logarithm.
    mean_x : mean ln scale-out of the past runs.
    places : natural logarithm of the factor of each place.
    features : (SUMMARY,) of them, without what depends on the place.
    """

    parts: Floats
    mean_size: float
    mean_x: float
    places: dict[Place, float]
    features: Floats

    def seconds(self, log_size: float, place: Place) -> tuple[float, float]:
        """Those that it always takes, and those that are multiplied by the share of the tasks."""
        size = float(np.exp(np.clip(self.gap(log_size), -_FARTHEST, _FARTHEST)))
        factor = float(np.exp(self.places.get(place, 0.0)))
        always, by_size, by_share, by_both = self.parts.tolist()
        return factor * (always + by_size * size), factor * (by_share + by_both * size)

    def gap(self, log_size: float) -> float:
        return 0.0 if np.isnan(log_size) else log_size - self.mean_size

    def expected(self, row: Row) -> float:
        """ln s"""
        always, by_share = self.seconds(row.log_size, row.place)
        return float(np.log(max(always + by_share * row.share, FLOOR_S)))

    def summary(self, place: Place) -> Floats:
        """(SUMMARY,) numbers for the model. Without the size: what is learned of few sizes misleads at others."""
        found = self.features.copy()
        found[0] = self.places.get(place, 0.0)
        return found


def shares(tasks: Floats, slots: Floats) -> Floats:
    """Of a stage's tasks that one slot has to do one after the other: 1 of one task, 3/8 of eight tasks on three slots.

    Parameters
    ----------
    tasks : 0 where they were not told; then a slot has its fair share.
    """
    told = np.maximum(tasks, 1.0)
    found: Floats = np.where(tasks > 0, np.ceil(told / slots - 1e-9) / told, 1.0 / np.maximum(slots, 1.0))
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
            share = float(shares(np.array(stage.num_tasks), np.array(slots(run.context, x))))
            place = (job.job_id, at)
            rows.append(Row(number, place, np.log(x), share, size, log_s, metrics, stage.rescaling_time_ratio))
        times = np.exp([row.log_s for row in rows])
        found.append(Seen(job, graph, tuple(rows), float(longest_path(times, graph.parents)) if rows else 0.0))
    return found


def log_size(context: Context) -> float:
    """Natural logarithm of the MB; NaN where they are not told."""
    size = context.data_size_mb
    return float(np.log(size)) if size is not None and np.isfinite(size) and size > 0 else float("nan")


def slots(context: Context, scale_out: float) -> float:
    """Tasks that run at a time."""
    return scale_out * max(context.cores or 1, 1)


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
            numbers = np.array([(row.log_x, row.log_size, row.log_s, row.overhead, row.share) for row in rows])
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
        log_x, log_size, log_s, overhead, share = numbers.T
        told = ~np.isnan(log_size)
        mean_size = float(np.average(log_size[told], weights=weight[told])) if told.any() else 0.0
        gap = np.where(told, log_size - mean_size, 0.0)
        size = np.exp(np.clip(gap, -_FARTHEST, _FARTHEST))
        parts = _parts(size, share, log_s, weight)
        rest = log_s - np.log(np.maximum(_columns(size, share) @ parts, FLOOR_S))
        level = float(np.average(rest, weights=weight))
        rest -= level
        places = _by_place([p for p, c in zip(table.places, counts, strict=True) if c], rest) if rank == 0 else {}
        mean_x = float(np.average(log_x, weights=weight))
        at_mean = parts * _columns(np.ones(1), np.average(share, weights=weight, keepdims=True))[0]
        features = np.zeros(SUMMARY)
        features[1:_RATIOS] = (
            np.log1p(len(times)),
            np.sqrt((weight * rest**2).sum() / total),
            np.sqrt((weight * (log_x - mean_x) ** 2).sum() / total),
            np.sqrt((weight * gap**2).sum() / total),
            float(at_mean[1] + at_mean[3]) / max(float(at_mean.sum()), FLOOR_S),
            rank / 3,
            (weight * overhead).sum() / total,
        )
        known = ~np.isnan(metrics)
        ratios = (np.where(known, metrics, 0.0) * weight[:, None]).sum(0)
        features[METRICS_AT] = ratios / np.maximum((known * weight[:, None]).sum(0), 1e-9)
        return Anchor(parts * np.exp(level), mean_size, mean_x, places, features)


def keys_of(algorithm: str, name: str, at: int) -> tuple[Key, ...]:
    """Under which a stage is known, the narrowest first."""
    return (algorithm, name, at), (algorithm, name, -1), (algorithm, "", -1), ("", "", -1)


def _columns(size: Floats, share: Floats) -> Floats:
    """(n, 4)"""
    return np.column_stack([np.ones_like(size), size, share, size * share])


def _parts(size: Floats, share: Floats, log_s: Floats, weight: Floats) -> Floats:
    """(4,) by non-negative least squares of relative errors."""
    from scipy.optimize import nnls

    columns = _columns(size, share)
    row = np.sqrt(weight) * np.exp(-log_s)
    usual = np.exp(np.average(log_s, weights=weight))
    # Each part should be a quarter of what is usual.
    prior = np.sqrt(_WORTH) * np.diag(np.average(columns, axis=0, weights=weight)) / usual
    asked = np.concatenate([np.sqrt(weight), np.full(4, np.sqrt(_WORTH) / 4)])
    found: Floats = nnls(np.vstack([columns * row[:, None], prior]), asked)[0]
    return found


def _by_place(places: Sequence[Place], rest: Floats) -> dict[Place, float]:
    """ln of the factor of each place, of what is left."""
    rows: dict[Place, list[int]] = {}
    for row, place in enumerate(places):
        rows.setdefault(place, []).append(row)
    found = {}
    for place, mine in rows.items():
        left = rest[mine]
        middle = float(np.median(left))
        left = np.clip(left, middle - _CLIP, middle + _CLIP)
        found[place] = float(left.sum() / (len(left) + _SHRINK))
    return found
