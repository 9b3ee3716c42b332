"""What a search of the support vector regression may try: a grid, as in the published baseline, then anything in it."""

from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Trial

C, GAMMA, EPSILON = (3.0, 10.0, 30.0), (0.03, 0.1, 0.3), (0.1, 0.2)
DIRECTION = "minimize"


def grid() -> list[dict[str, float]]:
    """The points of the grid, the middle of it first."""
    points = [{"C": c, "gamma": gamma, "epsilon": epsilon} for c, gamma, epsilon in product(C, GAMMA, EPSILON)]
    return sorted(points, key=lambda point: (point["C"] != C[1]) + (point["gamma"] != GAMMA[1]))


def suggest(trial: "Trial") -> dict[str, Any]:
    """The values of one trial."""
    return {
        "C": trial.suggest_float("C", C[0], C[-1], log=True),
        "gamma": trial.suggest_float("gamma", GAMMA[0], GAMMA[-1], log=True),
        "epsilon": trial.suggest_float("epsilon", EPSILON[0], EPSILON[-1]),
    }
