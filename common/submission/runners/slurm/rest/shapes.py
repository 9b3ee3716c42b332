"""What slurmrestd answers, in either generation of its shapes, as rows and figures. Pure.

Until v0.0.38 (Slurm 22.05) a state is a word, a number is a number or null, and an exit code is a status of wait(2).
Later a state is a list of words, a number is `{"set": true, "infinite": false, "number": 5}`, and an exit code is an
object. v0.0.39 lies between: both kinds are read wherever either could stand.

Sources: the OpenAPI documents of v0.0.38 and v0.0.40, and the answers of slurmrestd 22.05.8.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from common.submission.records import Partition
from common.submission.runners.slurm.parse import node_names
from common.submission.runners.slurm.rows import JobRow
from common.submission.runners.slurm.states import Ending, wait_status

_RANGE = re.compile(r"(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7}))?)?")
_MANY_ELEMENTS = 1_000_000


def number(value: Any) -> int | None:
    """A number in either shape; None where it is not set, or infinite."""
    if isinstance(value, Mapping):
        if not value.get("set", True) or value.get("infinite"):
            return None
        value = value.get("number")
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def words(value: Any) -> tuple[str, ...]:
    """A state in either shape: the base state first, then flags."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def job_rows(answer: Mapping[str, Any], wanted: Mapping[str, tuple[str, str | None]]) -> list[JobRow]:
    """The jobs of `GET /slurm/<version>/jobs` that are wanted: a row for each job and each element of an array.

    Parameters
    ----------
    wanted : by name of the job: the user it has to belong to, and the range of indices it was submitted with, if it
        is an array. A job of another user with such a name is not ours.
    """
    told = []
    for job in _objects(answer.get("jobs")):
        asked = wanted.get(str(job.get("name")))
        if asked is None or asked[0] != job.get("user_name"):
            continue
        array_id, index = number(job.get("array_job_id")), number(job.get("array_task_id"))
        told.append((_job_row(job, array_id, index), str(job.get("array_task_string") or ""), asked[1] or ""))
    return list(_one_by_one(told))


def _one_by_one(told: list[tuple[JobRow, str, str]]) -> Iterator[JobRow]:
    """Each row, and the elements that one record tells together as they have not begun: its index is None.

    Parameters
    ----------
    told : rows, each with the elements that it tells of, and with all elements of its array.
    """
    own = {(row.job_id, row.index) for row, _, _ in told if row.index is not None}
    for row, left, all_of_them in told:
        if row.index is not None or not (left or all_of_them):
            yield row
            continue
        # A long list is cut short by Slurm: those that are left are then those without a record of their own.
        text = left if left and "..." not in left else all_of_them or left
        yield from (replace(row, index=index) for index in indices(text) if (row.job_id, index) not in own)


def _job_row(job: Mapping[str, Any], array_id: int | None, index: int | None) -> JobRow:
    return JobRow(
        job_id=str(array_id or number(job.get("job_id")) or ""),
        index=index if array_id else None,
        name=str(job.get("name")),
        state=words(job.get("job_state")),
        reason=_text(job.get("state_reason")),
        ending=_ending(job.get("exit_code")),
        nodes=node_names(_text(job.get("nodes")) or ""),
        submitted_at=_moment(job.get("submit_time")),
        started_at=_moment(job.get("start_time")),
        finished_at=_moment(job.get("end_time")),
        restarts=number(job.get("restart_cnt")) or 0,
    )


def accounted_rows(answer: Mapping[str, Any], wanted: Mapping[str, tuple[str, str | None]]) -> list[JobRow]:
    """The same of `GET /slurmdb/<version>/jobs`, with what they used.

    v0.0.38 tells `SUCCESS` and 0 of jobs that ended with another code, so that a 0 of one that failed is no news.
    """
    told = []
    for job in _objects(answer.get("jobs")):
        asked = wanted.get(str(job.get("name")))
        if asked is None or asked[0] != _user(job):
            continue
        array, times, state = _object(job.get("array")), _object(job.get("time")), _object(job.get("state"))
        array_id, index = number(array.get("job_id")), number(array.get("task_id"))
        steps = list(_objects(job.get("steps")))
        said = words(state.get("current"))
        ending = _ending(job.get("exit_code"))
        if ending.exit_code == 0 and "COMPLETED" not in said:
            ending = Ending(None, ending.signal)
        row = JobRow(
            job_id=str(array_id or number(job.get("job_id")) or ""),
            index=index if array_id else None,
            name=str(job.get("name")),
            state=said,
            reason=_text(state.get("reason")),
            ending=ending,
            nodes=node_names(_text(job.get("nodes")) or ""),
            submitted_at=_moment(times.get("submission")),
            started_at=_moment(times.get("start")),
            finished_at=_moment(times.get("end")),
            restarts=number(job.get("restart_cnt")) or 0,
            cpu_time_s=_cpu_time_s(steps),
            peak_memory_bytes=max(_peaks(steps), default=None),
        )
        told.append((row, _text(array.get("task")) or "", asked[1] or ""))
    return list(_one_by_one(told))


def indices(text: str) -> Iterator[int]:
    """The elements of an array: `0-9:3,12%2` is 0, 3, 6, 9 and 12. What is cut short ends where it is cut."""
    found = (_RANGE.fullmatch(part.strip()) for part in text.partition("%")[0].split(","))
    each = (
        range(int(part[1]), int(part[2] or part[1]) + 1, max(1, int(part[3] or 1)))
        for part in itertools.takewhile(bool, found)
        if part
    )
    return itertools.islice(itertools.chain.from_iterable(each), _MANY_ELEMENTS)


def job_id(answer: Mapping[str, Any]) -> str | None:
    """Of the answer to a submission; v0.0.40 and later tell it in `result` as well."""
    found = number(answer.get("job_id")) or number(_object(answer.get("result")).get("job_id"))
    return str(found) if found else None


def errors(answer: Any) -> list[tuple[int | None, str]]:
    """Number and words of each of `errors[]`: the number is `error_number`, in some answers `error_code` or `errno`."""
    told = []
    for error in _objects(answer.get("errors") if isinstance(answer, Mapping) else None):
        codes = (number(error.get(key)) for key in ("error_number", "error_code", "errno"))
        code = next((code for code in codes if code is not None), None)
        said = [text for key in ("error", "description") if (text := _text(error.get(key)))]
        told.append((code, ": ".join(dict.fromkeys(said)) or "no words"))
    return told


def controllers(answer: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Name of each controller in the answer to `ping`, and whether it answers."""
    return [
        (
            str(ping.get("hostname") or "slurmctld"),
            str(ping.get("ping") or ping.get("pinged") or "").upper() == "UP" or ping.get("responding") is True,
        )
        for ping in _objects(answer.get("pings"))
    ]


def release(answer: Mapping[str, Any]) -> str:
    """Slurm's version, e.g. `22.05.8`, of any answer's `meta`."""
    meta = _object(answer.get("meta"))
    slurm = _object(meta.get("slurm") or meta.get("Slurm"))
    return str(slurm.get("release") or "")


def partitions(partitions_answer: Mapping[str, Any], nodes_answer: Mapping[str, Any]) -> list[Partition]:
    """Of `GET partitions` and `GET nodes`."""
    of_partition: dict[str, list[Mapping[str, Any]]] = {}
    for node in _objects(nodes_answer.get("nodes")):
        for name in words(node.get("partitions")):
            of_partition.setdefault(name, []).append(node)
    return [
        _partition(found, of_partition.get(str(found.get("name")), []))
        for found in _objects(partitions_answer.get("partitions"))
    ]


def _partition(found: Mapping[str, Any], nodes: list[Mapping[str, Any]]) -> Partition:
    state = words(found.get("state")) or words(_object(found.get("partition")).get("state"))
    minutes = number(found.get("max_time_limit")) or number(_object(found.get("maximums")).get("time"))
    free = [node for node in nodes if _is_free(node)]
    idle_cpus = [number(node.get("idle_cpus")) or number(node.get("alloc_idle_cpus")) for node in nodes if _takes(node)]
    flags = [flag.lower() for flag in words(found.get("flags"))]
    total_nodes = number(found.get("total_nodes")) or number(_object(found.get("nodes")).get("total"))
    total_cpus = number(found.get("total_cpus")) or number(_object(found.get("cpus")).get("total"))
    return Partition(
        name=str(found.get("name")),
        state=state[0].lower() if state else "unknown",
        is_default="default" in flags,
        nodes=total_nodes if total_nodes is not None else len(nodes),
        idle_nodes=len(free),
        cpus=total_cpus,
        idle_cpus=sum(cpus or 0 for cpus in idle_cpus),
        max_time_s=minutes * 60 if minutes else None,
    )


def _is_free(node: Mapping[str, Any]) -> bool:
    return _takes(node) and any(word.upper() == "IDLE" for word in words(node.get("state")))


def _takes(node: Mapping[str, Any]) -> bool:
    told = {word.upper().rstrip("*") for word in (*words(node.get("state")), *words(node.get("state_flags")))}
    return not told & {"DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "MAINTENANCE", "FUTURE", "UNKNOWN", "ERROR"}


def cpus(nodes_answer: Mapping[str, Any]) -> tuple[int, int]:
    """CPUs in use, and all of them, of `GET nodes`."""
    nodes = list(_objects(nodes_answer.get("nodes")))
    return (
        sum(number(node.get("alloc_cpus")) or 0 for node in nodes),
        sum(number(node.get("cpus")) or 0 for node in nodes),
    )


def queue(diag_answer: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Jobs that wait, and that run, of `GET diag`."""
    found = _object(diag_answer.get("statistics"))
    return number(found.get("jobs_pending")), number(found.get("jobs_running"))


def _ending(value: Any) -> Ending:
    """An exit code in any of its shapes."""
    if isinstance(value, Mapping) and "number" not in value:
        code, signal = number(value.get("return_code")), _object(value.get("signal"))
        signalled = number(signal.get("id")) or number(signal.get("signal_id")) or 0
        return wait_status((code or 0) << 8 | signalled) if code is not None or signalled else Ending(None, None)
    raw = number(value)
    return Ending(None, None) if raw is None or raw < 0 else wait_status(raw)


def _cpu_time_s(steps: Iterable[Mapping[str, Any]]) -> float | None:
    """The job's own total is 0 in v0.0.38: its steps have the figures."""
    totals = [_object(_object(step.get("time")).get("total")) for step in steps]
    seconds = [
        (number(total.get("seconds")) or 0) + (number(total.get("microseconds")) or 0) / 1e6
        for total in totals
        if total
    ]
    return sum(seconds) if seconds else None


def _peaks(steps: Iterable[Mapping[str, Any]]) -> Iterator[int]:
    """The most memory that any task of a step had, in bytes: Slurm tells it under `requested`."""
    for step in steps:
        most = _object(_object(step.get("tres")).get("requested")).get("max")
        for found in _objects(most):
            count = number(found.get("count"))
            if found.get("type") == "mem" and count:
                yield count


def _user(job: Mapping[str, Any]) -> str | None:
    return _text(job.get("user")) or _text(_object(job.get("association")).get("user"))


def _moment(value: Any) -> datetime | None:
    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds and 0 < seconds < 1 << 34 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())
