"""What a training of the graph model may try, how often, and when it gives a trial up. Edit this file to search else.

What is minimised is the mean absolute error of ln(job time), of runs whose inputs no trial has learned from.
"""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

DIRECTION: Literal["minimize", "maximize"] = "minimize"
TRIALS = 40
# Passes over the samples; after each of so many a trial tells how good it is.
EPOCHS = 40
RUNG = 5
# Members of the ensemble, while searching and at last.
MEMBERS, FINAL_MEMBERS = 2, 3
# Tried first.
DEFAULTS: dict[str, Any] = {
    "hidden": 16,
    "learning_rate": 5e-3,
    "weight_decay": 1e-2,
    "dropout": 0.1,
    "metric_weight": 0.2,
}


def suggest(trial: "Trial") -> dict[str, Any]:
    """The values of one trial: fields of `models.scaleout.graph.fitting.Plan`."""
    return {
        "hidden": trial.suggest_categorical("hidden", [8, 16, 32]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 2e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.4),
        "metric_weight": trial.suggest_float("metric_weight", 0.05, 1.0, log=True),
    }


def sampler(seed: int) -> "BaseSampler":
    """The tree-structured Parzen estimator."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, n_startup_trials=8)


def pruner() -> "BasePruner":
    """Successive halving: of three trials at a rung the best one goes on."""
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
