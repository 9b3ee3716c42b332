"""How long a prediction will take, learnt from those that this installation has made.

What counts is the work: CPU time of the thread that predicts, which is also what it takes on a machine with a core to
spare. Waiting for a turn is no part of it.
"""

import time
from functools import lru_cache

from common.settings import get_settings
from models._indicators import IndicatorSet
from models.imputation.estimate_cost import UNIT_S, sizes, work
from models.imputation.estimate_store import Timings
from models.imputation.level1 import Level1Memory
from models.imputation.spec import Floats, Interpolator, Spec

FILE = "imputation-timings.json"


class Watch:
    """Measures predictions and says beforehand how long they will take.

    Parameters
    ----------
    memory : the level-1 states of the process: the work is far less where the year is known.
    """

    def __init__(self, memory: Level1Memory, timings: Timings) -> None:
        self._memory = memory
        self._timings = timings
        self._first = True

    def estimate_s(self, data: IndicatorSet, spec: Spec) -> float:
        return self._timings.seconds(self._work(data, spec))

    def start(self, data: IndicatorSet, spec: Spec) -> "Measurement":
        """To be called on the thread that is to predict."""
        units = self._work(data, spec)
        self._first = False
        # Who only waits for another thread's level 1 does less than the question takes.
        shared = any(self._memory.awaits(data, spec.year, kind) for kind in Interpolator)
        return Measurement(None if shared else self._timings, units)

    def _work(self, data: IndicatorSet, spec: Spec) -> Floats:
        return work(
            sizes(data, spec.year, spec.target),
            spec,
            filled=self._memory.holds(data, spec.year, spec.interpolator),
            neighbours=self._memory.holds(data, spec.year, Interpolator.KNNImputer),
            first=self._first,
        )


class Measurement:
    """A prediction under way; `timings` is None where it says nothing of others."""

    def __init__(self, timings: Timings | None, units: Floats) -> None:
        self._timings = timings
        self._units = units
        self._started_s = time.thread_time()

    def done(self) -> None:
        """Learn from it; on the same thread. Not to be called for a prediction that failed: it did not do all."""
        seconds = time.thread_time() - self._started_s
        if self._timings is not None:
            self._timings.record(self._units, seconds)


@lru_cache(maxsize=1)
def watch() -> Watch:
    """That of this process."""
    from models.imputation.service import memory

    return Watch(memory, Timings(get_settings().storage.cache_dir / FILE, UNIT_S))


def estimate_s(data: IndicatorSet, spec: Spec) -> float:
    """Seconds that `predict` will take for this question on a machine with a core to spare, if its answer is not kept
    already."""
    return max(round(watch().estimate_s(data, spec), 3), 0.001)
