"""What squeue, sacct and sinfo print, taken apart. Pure. Source: their manual pages, Slurm 22.05.

Names and reasons may hold anything that can be typed: fields are parted by a control character. Times are asked for as
seconds since 1970 (`SLURM_TIME_FORMAT=%s`): the login node's time zone is its own.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from common.submission.records import Partition
from common.submission.runners.slurm.rows import JobRow
from common.submission.runners.slurm.states import Ending, exit_pair, wait_status

SEPARATOR = "\x1f"

QUEUE_FIELDS = (
    "ArrayJobID", "JobID", "ArrayTaskID", "Name", "State", "Reason", "NodeList", "SubmitTime", "StartTime", "EndTime",
    "RestartCnt", "exit_code",
)  # fmt: skip
ACCOUNTING_FIELDS = (
    "JobID", "JobName", "State", "ExitCode", "Reason", "NodeList", "Submit", "Start", "End", "TotalCPU", "MaxRSS",
    "NTasks",
)  # fmt: skip
PARTITION_FORMAT = SEPARATOR.join(("%R", "%P", "%a", "%F", "%C", "%l"))

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)")
_DURATION = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")
# An element, or all that have not begun: 5_7, 5_[2-9%2].
_ARRAY_JOB = re.compile(r"(\d+)_(?:(\d+)|\[([\d,:-]+)(?:%\d+)?\])")
_HOST = r"(?:[^,\[\]]|\[[^\[\]]*\])+"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")
_MANY = 10_000


def queue_format() -> str:
    """The value of squeue's `-O`: every field in full, and the separator behind it."""
    return ",".join(f"{field}:{SEPARATOR}" for field in QUEUE_FIELDS)


def queue_rows(text: str) -> Iterator[JobRow]:
    """The lines of `squeue -h -r --states=all -O <queue_format()>`; a line of another shape is passed over."""
    for line in text.split("\n"):
        fields = [field.strip() for field in line.split(SEPARATOR)]
        if len(fields) < len(QUEUE_FIELDS):
            continue
        array_id, job_id, index, name, state, reason, nodes, submitted, started, ended, restarts, raw = fields[:12]
        yield JobRow(
            job_id=array_id if index.isdigit() else job_id,
            index=int(index) if index.isdigit() else None,
            name=name,
            state=state,
            reason=reason,
            ending=wait_status(int(raw)) if raw.isdigit() else Ending(None, None),
            nodes=node_names(nodes),
            submitted_at=moment(submitted),
            started_at=moment(started),
            finished_at=moment(ended),
            restarts=int(restarts) if restarts.isdigit() else 0,
        )


def accounting_rows(text: str) -> Iterator[JobRow]:
    """The lines of `sacct -n -P --delimiter=<SEPARATOR> -o <ACCOUNTING_FIELDS>`: a row for each job or element.

    CPU time is the job's own; the peak of memory is the largest of its steps', which follow it.
    """
    lines = (line.split(SEPARATOR) for line in text.split("\n"))
    whole = (fields for fields in lines if len(fields) >= len(ACCOUNTING_FIELDS))
    for job_id, group in itertools.groupby(whole, key=lambda fields: fields[0].split(".")[0]):
        of_job = list(group)
        head = next((fields for fields in of_job if fields[0] == job_id), None)
        found = _ARRAY_JOB.fullmatch(job_id)
        if head is None or not (found or job_id.isdigit()):
            continue
        peaks = [peak for fields in of_job if (peak := size_bytes(fields[10])) is not None]
        row = JobRow(
            job_id=found[1] if found else job_id,
            index=int(found[2]) if found and found[2] else None,
            name=head[1],
            state=head[2],
            reason=head[4],
            ending=exit_pair(head[3]),
            nodes=node_names(head[5]),
            submitted_at=moment(head[6]),
            started_at=moment(head[7]),
            finished_at=moment(head[8]),
            cpu_time_s=duration_s(head[9]),
            # A step that was over before anyone looked is told with 0.
            peak_memory_bytes=max(peaks, default=0) or None,
        )
        if found and found[3]:
            yield from (replace(row, index=index) for index in array_indices(found[3]))
        else:
            yield row


def array_indices(text: str) -> Iterator[int]:
    """The indices of `0-9:3,12`, in its order; those beyond `_MANY` are left out."""
    return itertools.islice(_indices(text), _MANY)


def _indices(text: str) -> Iterator[int]:
    for part in text.split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        if first.isdigit():
            yield from range(int(first), int(last or first) + 1, max(1, int(step or 1)))


def partitions(text: str) -> list[Partition]:
    """The lines of `sinfo -h -o <PARTITION_FORMAT>`; %F is allocated/idle/other/total nodes, %C the same of CPUs."""
    found: dict[str, Partition] = {}
    for line in text.split("\n"):
        fields = [field.strip() for field in line.split(SEPARATOR)]
        if len(fields) != 6:
            continue
        name, marked, state, nodes, cpus, limit = fields
        idle_nodes, all_nodes = of_four(nodes)
        idle_cpus, all_cpus = of_four(cpus)
        longest = duration_limit_s(limit)
        found[name] = Partition(name, state, marked.endswith("*"), all_nodes, idle_nodes, all_cpus, idle_cpus, longest)
    return list(found.values())


def of_four(text: str) -> tuple[int | None, int | None]:
    """Idle and total of `allocated/idle/other/total`."""
    parts = text.split("/")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        return None, None
    return int(parts[1]), int(parts[3])


def moment(text: str) -> datetime | None:
    """Seconds since 1970; None for `N/A`, `Unknown`, `None`, and for 0."""
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and 0 < int(text) < 1 << 40 else None


def size_bytes(text: str) -> int | None:
    """`1234K`, as sacct tells memory."""
    found = _SIZE.fullmatch(text.strip())
    return int(float(found[1]) * _SIZES[found[2]]) if found else None


def duration_s(text: str) -> float | None:
    """`[[days-]hours:]minutes:seconds[.fraction]`, as sacct tells CPU time."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def duration_limit_s(text: str) -> int | None:
    """A partition's time limit, `1-00:00:00` or `30:00`; None for `infinite`."""
    found = duration_s(text)
    return None if found is None else int(found)


def node_names(text: str) -> tuple[str, ...]:
    """`n[1-2,7],gpu03` as single names; what is no such list is told as it is."""
    if not text or text in ("(null)", "None", "N/A", "None assigned"):
        return ()
    return tuple(itertools.islice(_expanded(text), _MANY))


def _expanded(text: str) -> Iterator[str]:
    if not _HOSTS.fullmatch(text):
        yield text
        return
    for pattern in re.findall(_HOST, text):
        before, bracket, rest = pattern.partition("[")
        if not bracket:
            yield pattern
            continue
        inside, _, after = rest.partition("]")
        ends = tuple(_expanded(after)) if after else ("",)
        yield from (f"{before}{number}{end}" for number in _numbers(inside.split(",")) for end in ends)


def _numbers(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit() and int(last) - int(first) < _MANY:
            yield from (f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1))
        else:
            yield part
