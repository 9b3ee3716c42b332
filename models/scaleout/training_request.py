"""An old trigger as a training of today."""

from typing import TYPE_CHECKING, Any

from common.errors import Invalid
from models.scaleout.old_definitions import OldTraining
from models.scaleout.training import ScaleoutTraining, check_runs, chosen, learnable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.scaleout.records import Application
    from models.scaleout.store import RunStore

SYSTEMS = ("spark", "flink")


def training_body(trigger: OldTraining, store: "RunStore") -> dict[str, Any]:
    """The body of `POST /scaleout/train`; blocks.

    Raises
    ------
    Invalid
        There is nothing to learn from, or no run of the system.
    """
    runs = learnable([run for name in store.algorithms() for run in store.history(algorithm=name)])
    told = {
        "algorithm": (trigger.algorithm_name or "").strip() or None,
        "system": _system(trigger.system_name, runs),
        # One model is trained for all now: the name that it was to have is what the version is described by.
        "name": (trigger.model_name or "").strip() or (trigger.experiment_name or "").strip() or None,
    }
    body = {name: value for name, value in told.items() if value is not None}
    wanted = ScaleoutTraining(**body)
    check_runs(chosen(runs, wanted), wanted)
    return body


def _system(name: str | None, runs: "Sequence[Application]") -> str | None:
    """As runs have it."""
    plain = (name or "").strip().lower()
    if not plain:
        return None
    if plain not in SYSTEMS:
        raise Invalid.field("system_name", f"is none of {', '.join(SYSTEMS)}; leave it out for the runs of both", name)
    known = sorted({run.context.system for run in runs if run.context.system})
    # Without a single run of anything it is not the system that is wrong.
    if runs and plain not in known:
        message = f"no run of {plain} with stages is recorded, only of {', '.join(known)}; send that, or leave it out"
        raise Invalid.field("system_name", message, name)
    return plain
