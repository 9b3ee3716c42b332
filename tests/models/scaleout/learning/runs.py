"""Made-up runs whose times follow known laws."""

from collections.abc import Sequence

from models.scaleout.records import Application, Context, JobExecution

CONTEXT = Context(system="spark", algorithm="kmeans")


def whole_run(
    name: str, scale_out: int, runtime_s: float, context: Context = CONTEXT, start_s: float = 0.0
) -> Application:
    return Application(
        name, context, start_s=start_s, end_s=start_s + runtime_s, start_scale_out=scale_out, end_scale_out=scale_out
    )


def run_of_jobs(
    name: str,
    times_s: Sequence[float],
    scale_outs: Sequence[int | None],
    *,
    start_s: float = 0.0,
    pause_s: float = 0.0,
    target_s: float | None = None,
    ended: bool = True,
    signature: str = "same",
) -> Application:
    """Jobs one after the other, each after a pause."""
    jobs, now = [], start_s
    for job_id, (time_s, scale_out) in enumerate(zip(times_s, scale_outs, strict=True)):
        begin = now + pause_s
        now = begin + time_s
        jobs.append(JobExecution(job_id, begin, now, scale_out, scale_out))
    return Application(
        name,
        CONTEXT,
        signature=signature,
        target_s=target_s,
        start_s=start_s,
        end_s=now if ended else None,
        jobs=tuple(jobs),
    )
