"""What a training of the sample model may try. Edit it: nothing else has to change."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Trial


def suggest(trial: "Trial") -> dict[str, Any]:
    """The values of one trial."""
    return {"slope": trial.suggest_float("slope", -10, 10), "intercept": trial.suggest_float("intercept", -10, 10)}
