"""What the demonstration asks, in the words of the carried runs. Pure."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from models.scaleout.records import Application


def rows_of(run: Application) -> int:
    """The arguments of the carried runs are rows, columns and iterations."""
    return int(run.context.arguments[0])


def usual_rows(runs: Sequence[Application]) -> int:
    """The size of input of which most runs are known; of several the largest."""
    counts = Counter(map(rows_of, runs))
    return max(counts, key=lambda rows: (counts[rows], rows))


def nearest(runs: Sequence[Application], rows: int) -> list[Application]:
    """The runs of the size that is nearest to this one by ratio."""
    known = min(map(rows_of, runs), key=lambda one: max(one / rows, rows / one))
    return [run for run in runs if rows_of(run) == known]


def question_of(
    runs: Sequence[Application], algorithm: str, rows: int | None = None, target_s: float | None = None
) -> dict[str, Any]:
    """The body for `POST /scaleout/predict`.

    Parameters
    ----------
    rows : of the input; by default those of most of the runs.
    target_s : by default the median of what runs of this size, or of the nearest, took.
    """
    mine = [run for run in runs if run.context.algorithm == algorithm]
    rows = usual_rows(mine) if rows is None else rows
    like = nearest(mine, rows)
    context = like[-1].context
    _, columns, iterations = context.arguments
    times = [run.runtime_s for run in like if run.runtime_s is not None]
    return {
        "algorithm": algorithm,
        "arguments": [str(rows), columns, iterations],
        "data_size_mb": rows * int(columns) * 8 / 1e6,
        "data_characteristics": context.data_characteristics,
        "machine": context.machine,
        "environment": context.environment,
        "cores": context.cores,
        "memory_mb": context.memory_mb,
        "min_scale_out": min(run.min_scale_out for run in mine),
        "max_scale_out": max(run.max_scale_out for run in mine),
        "target_s": round(median(times), 1) if target_s is None else target_s,
    }
