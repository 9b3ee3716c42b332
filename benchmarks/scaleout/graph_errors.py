"""How far predicted times of stages, jobs and whole runs lie from the true ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Times:
    """Seconds, predicted and true, by stage and by job (the longest path through its stages)."""

    stages: Floats
    stage_s: Floats
    jobs: Floats
    job_s: Floats

    def cells(self) -> tuple[str, ...]:
        return (*errors(self.stages, self.stage_s), *errors(self.jobs, self.job_s))


def mape(found: Floats, true: Floats) -> float:
    """Mean absolute percentage error."""
    return float(100 * np.mean(np.abs(found - true) / true))


def errors(found: Floats, true: Floats) -> tuple[str, str, str]:
    """Mean absolute percentage error, mean absolute error of ln (as %), mean absolute error in seconds.

    The first one lets a prediction be wrong by 100 % at most where it is too small, and by any number where it is too
    large: of two guesses the smaller one looks better. The second one counts half and double alike.
    """
    return (
        f"{mape(found, true):.1f}",
        f"{100 * np.mean(np.abs(np.log(found / true))):.1f}",
        f"{np.mean(np.abs(found - true)):.2f}",
    )
