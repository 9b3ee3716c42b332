"""A job, or an element of an array, as Slurm lists it; and what Atoll makes of them. Pure.

Rows come from `squeue` and `sacct` (`parse`) or from slurmrestd. The queue knows the state at once and forgets jobs
some minutes after their end; the accounting knows for ever, but lags behind, and alone has the final figures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.submission.records import Element, Observation
from common.submission.runners.slurm.states import Ending, Reading, read
from common.submission.states import TaskState, of_elements


@dataclass(frozen=True)
class JobRow:
    """One line.

    Parameters
    ----------
    job_id : of an array, the array's.
    index : within an array; None for a job that is none.
    state : in Slurm's words, with its flags where they are told.
    cpu_time_s, peak_memory_bytes : from the accounting, of all steps; None while they are not there.
    """

    job_id: str
    index: int | None
    name: str
    state: str | Sequence[str]
    reason: str | None
    ending: Ending
    nodes: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restarts: int = 0
    cpu_time_s: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class _Seen:
    """A job or an element, with what Atoll reads in its state."""

    row: JobRow
    reading: Reading


def observations(queued: Iterable[JobRow], accounted: Iterable[JobRow], names: Iterable[str]) -> list[Observation]:
    """What is to be told of the submissions with these names: one for each job, in the order of their numbers.

    The queue is believed about state, reason and nodes; what it has forgotten is told by the accounting, which
    completes figures of what has ended.
    """
    wanted = set(names)
    rows: dict[tuple[str, int | None], JobRow] = {}
    for row in accounted:
        if row.name in wanted:
            rows[row.job_id, row.index] = row
    for row in queued:
        if row.name in wanted:
            rows[row.job_id, row.index] = _completed(row, rows.get((row.job_id, row.index)))
    jobs: dict[str, list[_Seen]] = {}
    for row in rows.values():
        reading = read(row.state, row.reason, row.ending)
        if reading is not None:
            jobs.setdefault(row.job_id, []).append(_Seen(row, reading))
    return [_observation(jobs[job_id]) for job_id in sorted(jobs, key=_number)]


def _completed(queued: JobRow, accounted: JobRow | None) -> JobRow:
    """The queue's row, with figures from the accounting where they are of the same, finished run."""
    if accounted is None:
        return queued
    same_run = accounted.started_at == queued.started_at
    return JobRow(
        queued.job_id,
        queued.index,
        queued.name,
        queued.state,
        queued.reason,
        queued.ending,
        queued.nodes,
        queued.submitted_at or accounted.submitted_at,
        queued.started_at,
        queued.finished_at,
        queued.restarts,
        accounted.cpu_time_s if same_run else None,
        accounted.peak_memory_bytes if same_run else None,
    )


def _observation(seen: list[_Seen]) -> Observation:
    # Of an array none of whose elements began, the accounting may tell as of one job.
    elements = sorted((one for one in seen if one.row.index is not None), key=lambda one: one.row.index or 0)
    return _of_array(elements) if elements else _of_one(seen[0])


def _of_one(one: _Seen) -> Observation:
    row, reading = one.row, one.reading
    ended = reading.state.is_finished
    begun = reading.state is not TaskState.PENDING
    return Observation(
        name=row.name,
        cluster_job_id=row.job_id,
        state=reading.state,
        reason=reading.reason,
        exit_code=reading.exit_code,
        signal=reading.signal,
        nodes=row.nodes,
        submitted_at=row.submitted_at,
        # Of a waiting job Slurm tells when it may begin, of a running one when it has to be over.
        started_at=row.started_at if begun else None,
        finished_at=row.finished_at if ended else None,
        cpu_time_s=row.cpu_time_s if ended else None,
        peak_memory_bytes=row.peak_memory_bytes if ended else None,
        restarts=row.restarts,
    )


def _of_array(seen: list[_Seen]) -> Observation:
    each = [_of_one(one) for one in seen]
    state = of_elements([one.state for one in each])
    # The first of those that are as the whole is: what went wrong first, by index.
    told = next((one for one in each if one.state is state), each[0])
    ended = state.is_finished
    cpu_times = [one.cpu_time_s for one in each if one.cpu_time_s is not None]
    peaks = [one.peak_memory_bytes for one in each if one.peak_memory_bytes is not None]
    return Observation(
        name=told.name,
        cluster_job_id=told.cluster_job_id,
        state=state,
        reason=told.reason,
        exit_code=told.exit_code if ended else None,
        signal=told.signal if ended else None,
        nodes=tuple(dict.fromkeys(node for one in each for node in one.nodes)),
        submitted_at=_first(one.submitted_at for one in each),
        started_at=_first(one.started_at for one in each),
        finished_at=_last(one.finished_at for one in each) if ended else None,
        cpu_time_s=sum(cpu_times) if ended and cpu_times else None,
        peak_memory_bytes=max(peaks) if ended and peaks else None,
        restarts=sum(one.restarts for one in each),
        elements=tuple(
            Element(seen_one.row.index or 0, one.state, one.exit_code, one.reason)
            for seen_one, one in zip(seen, each, strict=True)
        ),
    )


def _first(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _last(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def _number(job_id: str) -> tuple[int, str]:
    return (int(job_id), "") if job_id.isdigit() else (0, job_id)
