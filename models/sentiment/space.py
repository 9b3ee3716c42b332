"""What a training of sentiment may try; accuracy on the dev texts is to be large."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Trial

DIRECTION = "maximize"
# Layers of the base, from below. Only these: a search over all would need more trials than anybody waits for.
LAYERS = {"low": (0, 1, 2), "spread": (0, 2, 4)}
# Tried first.
DEFAULTS = {"learning_rate": 1.5e-4, "dropout": 0.1, "token_dropout": 0.05, "layers": "low"}


def suggest(trial: "Trial") -> dict[str, Any]:
    """The values of one trial."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 2e-5, 2e-3, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.2),
        "token_dropout": trial.suggest_float("token_dropout", 0.0, 0.2),
        "layers": trial.suggest_categorical("layers", list(LAYERS)),
    }
