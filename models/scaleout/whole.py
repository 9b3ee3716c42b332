"""The time of a whole run that is not begun: the best model that so many runs allow, and its name. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.scaleout.records import Application, Context

if TYPE_CHECKING:
    from models.scaleout.decide import Remaining

_SAME_SIZE = 0.05


@dataclass(frozen=True)
class Whole:
    """What answers for whole runs.

    Parameters
    ----------
    remaining : forecasts by scale-out; None where no run is known.
    runs : (scale-out, seconds) of the runs of the same that kept their scale-out.
    others : scale-outs of the runs of other inputs or machines, or that were rescaled, that the forecasts rest on too.
    same : the runs of the same, rescaled ones too, the oldest first.
    error : that the forecasts make at the runs that they rest on, each left out, as a share; None for fewer than three.
    """

    remaining: "Remaining | None"
    runs: tuple[tuple[int, float], ...]
    others: tuple[float, ...] = ()
    same: tuple[Application, ...] = ()
    error: float | None = None


def whole(history: Sequence[Application], context: Context) -> Whole:
    """
    Parameters
    ----------
    history : finished runs of the algorithm, the oldest first.
    context : of the run to be.
    """
    if not history:
        return Whole(None, ())
    from models.scaleout.learning.context import PRIOR, ContextModel
    from models.scaleout.learning.features import scale_out_of

    kept = [kept_scale_out(run) if is_same(run.context, context) else None for run in history]
    runs = tuple(known for known in kept if known is not None)
    others = tuple(scale_out_of(run) or 1.0 for run, known in zip(history, kept, strict=True) if known is None)
    same = tuple(run for run in history if is_same(run.context, context))
    model = ContextModel.fit(history, context)
    if model.name == PRIOR:
        # What no run has taught is no answer.
        return Whole(None, runs, same=same)
    return Whole(lambda scale_outs: model.predict(context, scale_outs), runs, others, same, model.error)


def is_same(one: Context, other: Context) -> bool:
    """Whether two runs differ in their scale-out only, as far as it was told."""
    a, b = one.data_size_mb, other.data_size_mb
    if a is not None and b is not None and abs(a - b) > _SAME_SIZE * max(a, b):
        return False
    pairs = (
        (one.data_characteristics, other.data_characteristics),
        (one.machine, other.machine),
        (one.environment, other.environment),
        (one.cores, other.cores),
        (one.memory_mb, other.memory_mb),
        (one.arguments, other.arguments),
    )
    return all(left == right for left, right in pairs if left and right)


def kept_scale_out(run: Application) -> tuple[int, float] | None:
    """Scale-out and seconds of a run that had the same executors throughout."""
    seen = {run.start_scale_out, run.end_scale_out}
    seen |= {at for job in run.jobs for at in (job.start_scale_out, job.end_scale_out)}
    seen -= {None, 0}
    seconds = run.runtime_s
    if len(seen) != 1 or not seconds:
        return None
    (scale_out,) = seen
    return (scale_out, seconds) if scale_out is not None else None
