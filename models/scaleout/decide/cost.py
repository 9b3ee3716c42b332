"""What another number of executors costs: the time until they are there, all executors' time, and a missed target."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.scaleout.decide.plan import Choice

# Chances that are taken for alike, where none is good enough.
_ALIKE = 0.02


@dataclass(frozen=True)
class Rescaling:
    """What a change of the number of executors takes.

    Parameters
    ----------
    up_s : until added executors are there; meanwhile the application goes on as it was. The default is what Spark
        applications of a commercial service took for their first executors.
    warm_s : lost once by every addition, since new executors hold no cached data.
    down_s : lost once by every removal.
    """

    up_s: float = 12.0
    warm_s: float = 2.0
    down_s: float = 1.0

    def lost_s(self, current: int, wanted: int, current_s: float, wanted_s: float) -> float:
        """Seconds longer than if `wanted` executors had been there all the time.

        Parameters
        ----------
        current_s, wanted_s : what is left would take with `current` and with `wanted` executors.
        """
        if wanted == current:
            return 0.0
        if wanted < current:
            return self.down_s
        gain = 1.0 - wanted_s / current_s if current_s > 0 else 0.0
        return self.warm_s + min(self.up_s, current_s) * max(0.0, gain)


@dataclass(frozen=True)
class Rules:
    """What meeting the target is worth.

    Parameters
    ----------
    confidence : chance of meeting the target that the start aims at.
    miss : a missed target is as bad as so many times the run's executor-minutes.
    excess : and for each share of the target by which it is missed, as many misses more.
    change : a change has to save so large a share of the run's executor-minutes, misses counted as above (hysteresis).
    lost : where the chance is below this, no executors are taken if that made the end later: giving up is no saving.
    """

    confidence: float = 0.9
    miss: float = 0.5
    excess: float = 1.5
    change: float = 0.02
    lost: float = 0.1

    def loss(self, choice: Choice, left_s: float, target_s: float, run_minutes: float) -> float:
        """Executor-minutes, misses counted as such.

        Parameters
        ----------
        left_s : until the target.
        run_minutes : executor-minutes of the whole run, that a miss is measured by.
        """
        late = max(0.0, choice.forecast.median_s - left_s) / target_s
        missed = 1.0 - choice.probability + self.excess * late
        return choice.executor_minutes + self.miss * run_minutes * missed


def executor_minutes(scale_out: int, seconds: float) -> float:
    return scale_out * seconds / 60.0


def safest(choices: Sequence[Choice], confidence: float) -> Choice:
    """The cheapest that meets the target with this chance; where none does, of those with the best chance."""
    # The smallest; or, where few executors take far too long, the cheaper.
    most = max(choice.probability for choice in choices)
    return cheapest([choice for choice in choices if choice.probability >= min(confidence, most - _ALIKE)])


def cheapest(choices: Sequence[Choice]) -> Choice:
    """By executor-minutes, then by executors."""
    return min(choices, key=lambda choice: (choice.executor_minutes, choice.scale_out))
