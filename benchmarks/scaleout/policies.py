"""Who steers the simulated runs: nobody, Ellis as it was meant, and what Atoll decides."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaleout.simulator import Draw
from benchmarks.scaleout.truth import HIGH, LOW, SCALE_OUTS
from models.scaleout.decide import Corrected, Plan, Progress, Rescaling, Rules, Standing, initial, online
from models.scaleout.learning.bell import Bell
from models.scaleout.learning.ellis import steps
from models.scaleout.records import Application

Floats = NDArray[np.float64]

# Of Ellis, as in its source: act when the rest is 5 % too late or 15 % too early, and aim at 90 % of the time left.
_LATE, _EARLY, _AIM = 1.05, 0.85, 0.9


class Fixed:
    """Always the same number of executors."""

    def __init__(self, scale_out: int) -> None:
        self.name, self._scale_out = f"static, {scale_out}", scale_out

    def start(self, history: Sequence[Application], target_s: float, draw: Draw) -> int:
        return self._scale_out

    def after(self, run: Application, scale_out: int) -> int:
        return scale_out


class Ellis:
    """A Bell model for each job; the smallest scale-out whose sum meets the target. No run is profiled any more.

    Thamsen et al., "Ellis: Dynamically Scaling Distributed Dataflows to Meet Runtime Targets", CloudCom 2017, with the
    thresholds of its published source. Unlike a published port it asks for what it has decided, learns from the
    scale-outs that jobs really had, and counts the next job among those that the change is for. The curves are those
    of `learning.ellis`; its intervals are not needed here.
    """

    def __init__(self, *, adaptive: bool = True) -> None:
        self.name = "Ellis" if adaptive else "static, Bell's choice"
        self._adaptive = adaptive
        self._times, self._target_s = np.zeros((0, len(SCALE_OUTS))), 0.0

    def start(self, history: Sequence[Application], target_s: float, draw: Draw) -> int:
        points: dict[int, list[tuple[float, float]]] = {}
        for run in history:
            for step in steps(run):
                if step.scale_out:
                    points.setdefault(step.job_id, []).append((step.scale_out, step.took_s))
        curves = [Bell.fit(*np.array(points[job_id]).T).predict(SCALE_OUTS) for job_id in sorted(points)]
        self._times, self._target_s = np.array(curves), target_s
        total = self._times.sum(0)
        meets = np.flatnonzero(total < target_s)
        return LOW + int(meets[0] if meets.size else np.argmin(total))

    def after(self, run: Application, scale_out: int) -> int:
        ended = run.jobs[-1]
        if not self._adaptive or ended.end_s is None:
            return scale_out
        rest = self._times[ended.job_id + 1 :].sum(0)
        left = self._target_s - ended.end_s
        now = rest[scale_out - LOW]
        if _EARLY * left <= now <= _LATE * left:
            return scale_out
        meets = np.flatnonzero(rest < _AIM * left)
        found = LOW + int(meets[0] if meets.size else np.argmin(rest))
        return found if now > left or found < scale_out else scale_out


class Ours:
    """What Atoll decides with the model of job curves corrected on the run."""

    def __init__(
        self,
        *,
        adaptive: bool = True,
        rules: Rules | None = None,
        rescaling: Rescaling | None = None,
    ) -> None:
        self.name = "ours" if adaptive else "static, our choice"
        self._adaptive = adaptive
        self._rules, self._rescaling = rules or Rules(), rescaling or Rescaling()
        self._model: Corrected | None = None
        self._last: Plan | None = None
        self._target_s = 0.0

    def start(self, history: Sequence[Application], target_s: float, draw: Draw) -> int:
        self._model, self._target_s = Corrected.fit(history), target_s
        runs = [(run.start_scale_out or HIGH, run.runtime_s or 0.0) for run in history]
        self._last = initial(LOW, HIGH, target_s, runs, self._model.remaining(), rules=self._rules)
        return self._last.scale_out

    def after(self, run: Application, scale_out: int) -> int:
        progress = Progress.of(run)
        if not self._adaptive or progress is None or self._model is None:
            return scale_out
        standing = Standing(
            progress.job_id, scale_out, progress.elapsed_s, self._target_s, LOW, HIGH, progress.spent_minutes
        )
        self._last = online(
            standing,
            self._model.remaining(progress),
            last=self._last,
            rules=self._rules,
            rescaling=self._rescaling,
        )
        return self._last.scale_out
