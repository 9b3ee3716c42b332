"""What records must fulfil beyond their types. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from common.errors import FieldError, Invalid, shorten
from models.scaleout.records import Application, JobExecution, Stage

_SHOWN = 20
_ID_CHARS = 128
_LONGEST_S = 1e9
_SPAN = ("start_s", "end_s", "start_scale_out", "end_scale_out")
_COUNTS = ("num_tasks", "rdd_num_partitions", "rdd_num_cached_partitions", "rdd_mem_size", "rdd_disk_size")


def check(runs: Sequence[Application]) -> None:
    """
    Raises
    ------
    Invalid
        Names the first fields that are wrong.
    """
    wrong = [error for at, run in enumerate(runs) for error in _of_run(f"body.applications.{at}", run)]
    if wrong:
        raise Invalid(f"{wrong[0].field}: {wrong[0].message}", errors=wrong[:_SHOWN])


def _of_run(where: str, run: Application) -> Iterator[FieldError]:
    if not 0 < len(run.execution_id) <= _ID_CHARS:
        yield _error(where, "execution_id", f"is 1 to {_ID_CHARS} characters", run.execution_id)
    if not run.context.algorithm:
        yield _error(where, "context.algorithm", "is empty; name what was run", "")
    for name in ("algorithm", "system"):
        if len(getattr(run.context, name)) > _ID_CHARS:
            yield _error(where, f"context.{name}", f"is at most {_ID_CHARS} characters", getattr(run.context, name))
    yield from _negative(f"{where}.context", (("data_size_mb", run.context.data_size_mb),))
    if not 1 <= run.min_scale_out <= run.max_scale_out:
        message = f"is not between 1 and max_scale_out, {run.max_scale_out}"
        yield _error(where, "min_scale_out", message, run.min_scale_out)
    if run.target_s is not None and not 0 < run.target_s <= _LONGEST_S:
        yield _error(where, "target_s", "is no number of seconds above 0; send null where there is none", run.target_s)
    yield from _of_span(where, run)
    ids = [job.job_id for job in run.jobs]
    if len(ids) != len(set(ids)):
        yield _error(where, "jobs", "hold one job_id twice", None)
    for at, job in enumerate(run.jobs):
        yield from _of_job(f"{where}.jobs.{at}", job)


def _of_job(where: str, job: JobExecution) -> Iterator[FieldError]:
    if not 0 <= job.job_id < 2**31:
        yield _error(where, "job_id", "is a number from 0", job.job_id)
    yield from _of_span(where, job)
    for number, stage in job.stages.items():
        if number != stage.stage_id:
            message = f"is not {number}, under which the stage stands"
            yield _error(where, f"stages.{number}.stage_id", message, stage.stage_id)
        yield from _of_span(f"{where}.stages.{number}", stage)
        yield from _negative(f"{where}.stages.{number}", ((name, getattr(stage, name)) for name in _COUNTS))
        metrics = zip(stage.metrics.names(), stage.metrics.values(), strict=True)
        yield from _negative(f"{where}.stages.{number}.metrics", metrics)


def _of_span(where: str, one: Application | JobExecution | Stage) -> Iterator[FieldError]:
    if one.start_s is not None and one.end_s is not None and one.end_s < one.start_s:
        message = f"is before start_s, {one.start_s}; send both in seconds since 1970, or null for what is not known"
        yield _error(where, "end_s", message, one.end_s)
    yield from _negative(where, ((name, getattr(one, name)) for name in _SPAN))


def _negative(where: str, values: Iterable[tuple[str, float | None]]) -> Iterator[FieldError]:
    for name, value in values:
        # NaN too.
        if value is not None and not 0 <= value < 1e18:
            yield _error(where, name, "is no number from 0; send null for what is not known", value)


def _error(where: str, name: str, message: str, value: object) -> FieldError:
    return FieldError(field=f"{where}.{name}", message=message, value=shorten(value))
