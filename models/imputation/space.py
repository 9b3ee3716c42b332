"""What a training of imputation may try. Edit it: nothing else has to change.

The depth of the trees is not among it: every question chooses it by cross-validation anyway.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.imputation.spec import Model, Scheme

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.pruners import BasePruner

MODELS = (Model.rfr.name, Model.etr.name, Model.gbr.name)
SCHEMES = (Scheme.AFS.name, Scheme.PCA.name)
TREES = (10, 300)
PREDICTORS = (3, 50)
# Numbers of trees at which a trial is compared with the others: a bad one is given up after the first.
RUNGS = (10, 30, 100)

# What is asked where nobody trained anything; the first trial.
DEFAULTS: dict[str, Any] = {"scheme": Scheme.AFS.name, "predictors": 10, "trees": 100}


def suggest(trial: "Trial", models: Sequence[str] = MODELS, most: int = PREDICTORS[1]) -> dict[str, Any]:
    """The values of one trial.

    Parameters
    ----------
    models : kinds of ensemble to choose from.
    most : predictors that there are in the year.
    """
    least, limit = min(PREDICTORS[0], most), min(PREDICTORS[1], most)
    return {
        "model": trial.suggest_categorical("model", list(models)),
        "scheme": trial.suggest_categorical("scheme", SCHEMES),
        "predictors": trial.suggest_int("predictors", least, limit, log=True),
        "trees": trial.suggest_int("trees", *TREES, log=True),
    }


def pruner() -> "BasePruner":
    """Lets the better third go on at each rung."""
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=RUNGS[0], reduction_factor=3)
