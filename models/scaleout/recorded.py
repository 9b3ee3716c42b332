"""In which contexts runs were recorded: what there is to ask about. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from models.scaleout.definitions import MAX_SCALE_OUT, RecordedContext
from models.scaleout.records import Application, Context
from models.scaleout.rows import application_of

# Where nothing says how many executors there may be.
_FEWEST, _MOST = 1, 16


def contexts(runs: Iterable[Mapping[str, Any]]) -> list[RecordedContext]:
    """Each context once, that of the newest run first.

    Parameters
    ----------
    runs : as they are kept, without their jobs, the newest first.
    """
    groups: dict[tuple[Any, ...], list[tuple[Application, Mapping[str, Any]]]] = {}
    for told in runs:
        run = application_of(told, ())
        if run.context.algorithm:
            groups.setdefault(_key(run.context), []).append((run, told))
    return [_context(group) for group in groups.values()]


def _context(group: list[tuple[Application, Mapping[str, Any]]]) -> RecordedContext:
    times = [run.runtime_s for run, _ in group if run.runtime_s is not None]
    fewest = [at for _, told in group for at in _told(told, "min_scale_out")]
    most = [at for _, told in group for at in _told(told, "max_scale_out")]
    targets = [run.target_s for run, _ in group if run.target_s is not None]
    known = {name: value for name, value in asdict(group[0][0].context).items() if name in RecordedContext.model_fields}
    low = min(fewest, default=_FEWEST)
    return RecordedContext(
        **{**known, "arguments": list(known["arguments"])},
        runs=len(group),
        median_s=round(median(times), 3) if times else None,
        min_scale_out=low,
        max_scale_out=min(MAX_SCALE_OUT, max(most, default=max(low, _MOST))),
        target_s=targets[0] if targets else None,
    )


def _told(told: Mapping[str, Any], bound: str) -> list[int]:
    """The bound, and the executors that were there all the same."""
    return [int(told[name]) for name in (bound, "start_scale_out", "end_scale_out") if told.get(name)]


def _key(context: Context) -> tuple[Any, ...]:
    """What a run may differ in beside its executors."""
    known = asdict(context)
    return tuple(known[name] for name in RecordedContext.model_fields if name in known)
