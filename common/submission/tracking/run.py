"""A run of MLflow, as a task shows it. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The tag that a task's runs carry; its value is the submission's name.
TAG = "atoll.task"
PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"

_MAX_FIGURES = 1000
_MAX_TEXT = 500


@dataclass(frozen=True)
class TrackedRun:
    """What a program recorded.

    Parameters
    ----------
    status : MLflow's word: `RUNNING`, `FINISHED`, `FAILED`, `KILLED`, `SCHEDULED`.
    metrics : the last value of each; those that are no finite number are left out.
    link : where people see it; None for a run in a folder.
    started_ms : since 1970, UTC.
    """

    run_id: str
    experiment_id: str = ""
    name: str = ""
    status: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    started_ms: int = 0


def choose(runs: Sequence[TrackedRun]) -> TrackedRun | None:
    """The run that stands for a task: of those that are nobody's child the newest, else the newest."""
    above = [run for run in runs if PARENT_TAG not in run.tags]
    return max(above or runs, key=lambda run: (run.started_ms, run.run_id), default=None)


def finite(figures: Mapping[str, object]) -> dict[str, float]:
    """Those that are finite numbers: JSON has no others."""
    kept = {}
    for name, value in figures.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            kept[name[:_MAX_TEXT]] = float(value)
    return dict(sorted(kept.items())[:_MAX_FIGURES])


def short(texts: Mapping[str, object]) -> dict[str, str]:
    """Texts of a bounded number and length."""
    return {name[:_MAX_TEXT]: str(value)[:_MAX_TEXT] for name, value in sorted(texts.items())[:_MAX_FIGURES]}
