"""The summary of the running application: how its finished jobs compare with what past runs led to expect.

This is the correction on the run at hand: no weights change, so that it costs nothing and cannot go astray.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.history import METRICS_AT, Past, Seen
from models.scaleout.records import Metrics

Floats = NDArray[np.float64]
Which = tuple[str, int]

COMMON = 5 + len(Metrics.names())
RUNNING = COMMON + 3
# What a job says fades by so much with each job after it; so many jobs would say that nothing is unusual.
_FADE, _SHRINK = 0.6, 1.0


class Trail:
    """Finished jobs of one run, compared with past runs once.

    Parameters
    ----------
    jobs : in their order.
    """

    def __init__(self, past: Past, algorithm: str, jobs: Sequence[Seen]) -> None:
        self._names: list[list[tuple[Which, float]]] = []
        self._metrics: list[Floats] = []
        self._own: list[tuple[float, float]] = []
        self._ids = [one.job.job_id for one in jobs]
        for one in jobs:
            names, metrics = [], []
            for stage, row in zip(one.graph.stages, one.rows, strict=True):
                anchor = past.anchor(algorithm, stage.name, row.place[1])
                if anchor is not None:
                    names.append(((stage.name, row.place[1]), float(np.clip(row.log_s - anchor.expected(row), -2, 2))))
                    metrics.append(np.nan_to_num(np.array(row.metrics) - anchor.features[METRICS_AT]))
            self._names.append(names)
            self._metrics.append(np.mean(metrics, axis=0) if metrics else np.zeros(len(Metrics.names())))
            last = one.rows[-1] if one.rows else None
            self._own.append((last.log_x, last.overhead) if last else (0.0, 0.0))

    def after(self, finished: int) -> "Running":
        """What is known once the first so many of them have ended."""
        common = np.zeros(COMMON)
        by_name: dict[Which, tuple[float, float]] = {}
        total = weights = 0.0
        weight = 1.0
        for names in reversed(self._names[:finished]):
            if names:
                total += weight * float(np.mean([more for _, more in names]))
                weights += weight
            for name, more in names:
                summed, counted = by_name.get(name, (0.0, 0.0))
                by_name[name] = summed + weight * more, counted + weight
            weight *= _FADE
        if finished:
            last = self._names[finished - 1]
            common[0] = float(np.mean([more for _, more in last])) if last else 0.0
            common[1] = total / (weights + _SHRINK)
            common[2] = np.log1p(finished)
            common[3:5] = self._own[finished - 1]
            common[5:] = self._metrics[finished - 1]
        return Running(self._ids[finished - 1] + 1 if finished else 0, common, by_name)


class Running:
    """The state of a run after some of its jobs.

    Parameters
    ----------
    next_id : number of the job that comes next.
    """

    def __init__(self, next_id: int, common: Floats, by_name: dict[Which, tuple[float, float]]) -> None:
        self._next = next_id
        self._common = common
        self._by_name = by_name

    def summary(self, name: Which, job_id: int) -> Floats:
        """(RUNNING,) numbers for a stage of this name and place in its job, of the job of this number."""
        summed, counted = self._by_name.get(name, (0.0, 0.0))
        ahead = np.log1p(max(0, job_id - self._next))
        return np.concatenate([self._common, [summed / (counted + _SHRINK), np.log1p(counted), ahead]])

    def slower(self, name: Which) -> float:
        """ln of how many times as long as expected such a stage should take: half by all stages, half by its own."""
        summed, counted = self._by_name.get(name, (0.0, 0.0))
        return 0.5 * (float(self._common[1]) + summed / (counted + _SHRINK))
