"""Run times in other contexts: other data, arguments and machines, and any scale-out, from runs of the same algorithm.

The logarithm of the run time is a Gaussian process of the logarithms of what it depends on; see `gaussian`. Its
intervals are as wide as the errors that it makes at its own runs when each is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.scaleout.learning.features import Space, finished, scale_out_of
from models.scaleout.learning.gaussian import Process
from models.scaleout.learning.intervals import Spread
from models.scaleout.records import Application, Context, Forecast

# Names in forecasts, from the simplest.
PRIOR, ONE_RUN, TWO_RUNS, ONE_SCALE_OUT, FULL = (
    "prior",
    "trend-of-1-run",
    "trend-of-2-runs",
    "trend-of-1-scale-out",
    "gaussian-process",
)
# Without any run: five minutes at a scale-out of 4, give or take a factor of 4.5 (a deviation of the logarithm).
_PRIOR_S, _PRIOR_AT, _PRIOR_DEVIATION = 300.0, 4.0, 1.5
# How far runs of the same lie apart is not told by one or two of them.
_UNTOLD_NOISE = 0.15
# More runs than this take more time than they are worth; the latest are taken.
_MOST = 300
# So many errors, left out one by one, are enough to tell how wide an interval has to be.
_ENOUGH = 20


@dataclass(frozen=True)
class ContextModel:
    """Run times of one algorithm.

    Attributes
    ----------
    name : of the model that the number of runs allows.
    runs : that it was fitted to.
    error : mean error, as a share of the run time, at its own runs when each is left out; None for fewer than three.
    """

    name: str
    runs: int
    space: Space
    process: Process | None
    spread: Spread
    error: float | None = None

    @classmethod
    def fit(cls, history: Sequence[Application], context: Context, *others: Context) -> "ContextModel":
        """
        Parameters
        ----------
        history : of any algorithms; those of `context`'s system and algorithm that have ended are taken.
        context, others : what will be asked about; what differs in none of them and no run is not learnt.
        """
        runs = finished(history, context)[-_MOST:]
        contexts = [run.context for run in runs]
        space = Space.of([*contexts, context, *others])
        if not runs:
            return cls(PRIOR, 0, space, None, Spread.normal())
        scale_outs = [scale_out_of(run) or 1.0 for run in runs]
        times = np.log([max(run.runtime_s or 0.0, 1e-3) for run in runs])
        process = Process.fit(space.rows(contexts, scale_outs), times, space.trend, steps=40 if len(runs) > 2 else 0)
        name = (ONE_RUN, TWO_RUNS)[len(runs) - 1] if len(runs) < 3 else FULL
        if name == FULL and len({round(scale_out, 3) for scale_out in scale_outs}) == 1:
            name = ONE_SCALE_OUT
        if len(runs) < 3:
            return cls(name, len(runs), space, process, Spread.normal())
        mean, deviation = process.left_out()
        spread = Spread.of((times - mean) / deviation) if len(runs) >= _ENOUGH else Spread.normal()
        return cls(name, len(runs), space, process, spread, float(np.mean(np.abs(np.expm1(mean - times)))))

    def predict(self, context: Context, scale_outs: Sequence[float]) -> list[Forecast]:
        """The whole run's time at each scale-out."""
        if self.process is None:
            slope = self.space.trend.mean[0]
            away = np.log(np.maximum(np.asarray(scale_outs, float), 1.0) / _PRIOR_AT)
            wide = np.sqrt(_PRIOR_DEVIATION**2 + (away * self.space.trend.deviation[0]) ** 2)
            return self.spread.forecasts(np.log(_PRIOR_S) + slope * away, wide, self.name)
        rows = self.space.rows([context] * len(scale_outs), scale_outs)
        mean, deviation = self.process.predict(rows)
        # The lengths and the noise were fitted to the same few runs, which the process takes for certain.
        uncertain = deviation * np.sqrt(1.0 + rows.shape[1] / self.runs)
        if self.runs < 3:
            uncertain = np.sqrt(uncertain**2 + _UNTOLD_NOISE**2)
        return self.spread.forecasts(mean, uncertain, self.name)
