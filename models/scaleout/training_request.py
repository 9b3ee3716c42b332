"""An old trigger as a training of today."""

from typing import TYPE_CHECKING, Any

from models.scaleout.old_definitions import OldTraining
from models.scaleout.training import ScaleoutTraining, check_runs, learnable

if TYPE_CHECKING:
    from models.scaleout.store import RunStore


def training_body(trigger: OldTraining, store: "RunStore") -> dict[str, Any]:
    """The body of `POST /scaleout/train`; blocks.

    Raises
    ------
    Invalid
        There is nothing to learn from.
    """
    algorithm = trigger.algorithm_name or None
    runs = [run for name in store.algorithms() for run in store.history(algorithm=name)]
    check_runs(learnable(runs), ScaleoutTraining(algorithm=algorithm))
    return {} if algorithm is None else {"algorithm": algorithm}
