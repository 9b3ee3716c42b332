"""Curves over the scale-out beside the graph model: one for each stage that an algorithm has."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaleout.graph_errors import Times
from models.scaleout.graph.dag import longest_path
from models.scaleout.graph.history import History, Seen
from models.scaleout.learning.bell import Bell
from models.scaleout.learning.ernest import Ernest, terms
from models.scaleout.records import Application

Floats = NDArray[np.float64]
Curve = Callable[[float, float], float]
Fit = Callable[[Floats, Floats, Floats], Curve]


def by_curves(fit: Fit, known: History, tests: History, *, follows: bool) -> Times:
    """A curve for each stage that an algorithm has, by job and place; where there is none, of stages of that name."""
    curves: dict[tuple[object, ...], Curve | None] = {}

    def curve(*key: object) -> Curve | None:
        if key not in curves:
            rows = table.get(key, [])
            curves[key] = fit(*np.array(rows).T) if rows else None
        return curves[key]

    table: dict[tuple[object, ...], list[tuple[float, float, float]]] = {}
    for past, jobs in zip(known.runs, known.jobs, strict=True):
        for one in jobs:
            for key, row in _rows(past, one):
                table.setdefault(key, []).append(row)
                table.setdefault((key[0], key[3]), []).append(row)
    every = np.median([row[2] for rows in table.values() for row in rows])
    stages, stage_s, paths, path_s = [], [], [], []
    for test, jobs in zip(tests.runs, tests.jobs, strict=True):
        total = expected = 0.0
        for one in jobs:
            predicted, true = [], []
            for key, (x, size, seconds) in _rows(test, one):
                found = curve(*key) or curve(key[0], key[3])
                predicted.append(found(x, size) if found else float(every))
                true.append(seconds)
            if not true:
                continue
            ratio = total / expected if follows and expected > 0 else 1.0
            told = np.array(predicted)
            stages += (told * ratio).tolist()
            stage_s += true
            paths.append(float(longest_path(told * ratio, one.graph.parents)))
            path_s.append(one.path_s)
            total += one.path_s
            expected += float(longest_path(told, one.graph.parents))
    return Times(np.array(stages), np.array(stage_s), np.array(paths), np.array(path_s))


def _rows(run: Application, one: Seen) -> list[tuple[tuple[object, ...], tuple[float, float, float]]]:
    """For each stage (algorithm, job, place, name), and (scale-out, MB, seconds)."""
    size = run.context.data_size_mb or 1.0
    return [
        ((run.context.algorithm, *row.place, stage.name), (float(np.exp(row.log_x)), size, float(np.exp(row.log_s))))
        for stage, row in zip(one.graph.stages, one.rows, strict=True)
    ]


def _ernest(x: Floats, _: Floats, t: Floats) -> Curve:
    found = Ernest.fit(x, t)
    return lambda x, _: float(max(found.predict([x])[0], 1e-3))


def _bell(x: Floats, _: Floats, t: Floats) -> Curve:
    found = Bell.fit(x, t)
    return lambda x, _: float(max(found.predict([x])[0], 1e-3))


def _sized(x: Floats, size: Floats, t: Floats) -> Curve:
    """Ernest as it was published, for data of several sizes: the second term is size over machines."""
    from scipy.optimize import nnls

    def columns(x: Floats, size: Floats) -> Floats:
        found = terms(x)
        found[:, 1] = size / x
        return found

    weights, _ = nnls(columns(x, size) / t[:, None], np.ones_like(t))
    return lambda x, size: float(max((columns(np.array([x]), np.array([size])) @ weights)[0], 1e-3))


CURVES: dict[str, Fit] = {"Ernest": _ernest, "Bell": _bell, "Ernest with the data size": _sized}
