"""What the jobs' own code did, told by a file that only grows: the campaign's witness outside the database.

Each line is one `write` to a file opened for appending, so lines of many processes never mix, and what was written
stays when the process is killed. Times are the machine's monotonic clock, which is the same in all processes and is
not moved when wall clocks are made to jump.
"""

import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "CAMPAIGN_LEDGER"


@dataclass(frozen=True)
class Line:
    """One thing that happened in a job's code.

    Parameters
    ----------
    event : `begin` and `end` of a run; `trial` (begins); `start` (from which step a run goes on), `step` (begins) and
        `saved` (a checkpoint is in the database).
    token : the job, by the name that the client gave it.
    run : one run of the job's code, unique.
    number : of the trial or step.
    attempt : `<job>/<epoch>` where the code can know it.
    """

    t_s: float
    pid: int
    event: str
    token: str
    run: str
    number: int = 0
    attempt: str = ""


def note(event: str, token: str, run: str, number: int = 0, attempt: str = "") -> None:
    """Add a line to the file that the environment names; without one, nothing is noted."""
    file = os.environ.get(FILE)
    if file is None:
        return
    line = Line(time.monotonic(), os.getpid(), event, token, run, number, attempt)
    handle = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(handle, (json.dumps(asdict(line)) + "\n").encode())
    finally:
        os.close(handle)


def read(file: Path) -> list[Line]:
    """All lines, in the order in which they were written."""
    return [Line(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def trials_run_twice(lines: Iterable[Line]) -> list[str]:
    """Trials that were begun more than once; a finished one is never to be run again, and an unfinished one is given
    up and another number takes its place."""
    seen: dict[tuple[str, int], int] = defaultdict(int)
    for line in lines:
        if line.event == "trial":
            seen[line.token, line.number] += 1
    return [f"trial {number} of {token} ran {times} times" for (token, number), times in seen.items() if times > 1]


def steps_run_twice(lines: Iterable[Line]) -> list[str]:
    """Runs that went on from before a step whose checkpoint had been saved already."""
    saved: dict[str, int] = defaultdict(int)
    found = []
    for line in lines:
        if line.event == "saved":
            saved[line.token] = max(saved[line.token], line.number)
        elif line.event == "start" and line.number < saved[line.token]:
            found.append(f"{line.token} went on from step {line.number}, but {saved[line.token]} had been saved")
    return found


def epochs_given_twice(lines: Iterable[Line]) -> list[str]:
    """Attempts that two runs believed to be theirs: neither would be fenced by the other's."""
    runs: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.event == "begin" and line.attempt:
            runs[line.attempt].add(line.run)
    return [f"attempt {attempt} was begun {len(ids)} times" for attempt, ids in runs.items() if len(ids) > 1]


@dataclass(frozen=True)
class Loss:
    """Processes that ended, or were cut off, at a moment."""

    t_s: float
    pids: frozenset[int]


@dataclass(frozen=True)
class Hit:
    """A job that was running in lost processes.

    Parameters
    ----------
    job : its id, or its token where its code cannot know the id.
    again_s : when it began again; infinite if it never did.
    """

    job: str
    t_s: float
    again_s: float = math.inf


def hits(lines: Sequence[Line], losses: Iterable[Loss]) -> list[Hit]:
    """The jobs that each loss hit: begun in one of the lost processes, not at their end, and not begun again elsewhere.

    A process that was frozen may still be at an attempt that was given up long ago; nobody waits for that one.
    """
    begun: dict[str, list[Line]] = defaultdict(list)
    finished: dict[str, float] = {}
    for line in lines:
        if line.event == "begin":
            # Helpers of a search bear its token, but are jobs of their own.
            begun[line.attempt.partition("/")[0] or line.token].append(line)
        elif line.event == "end":
            finished[line.run] = line.t_s
    found = []
    for loss in losses:
        for job, runs in begun.items():
            last = max((run for run in runs if run.t_s <= loss.t_s), key=lambda run: run.t_s, default=None)
            if last is not None and last.pid in loss.pids and loss.t_s <= finished.get(last.run, math.inf):
                later = [run.t_s for run in runs if run.t_s > loss.t_s]
                found.append(Hit(job, loss.t_s, min(later, default=math.inf)))
    return found


def noticed(found: Iterable[Hit], changes: Sequence[tuple[float, str]]) -> list[float]:
    """Seconds until the database said of each job that was hit that its attempt is over; infinite if it never did.

    Parameters
    ----------
    changes : moments at which a job's state changed, and the job's id.
    """
    moments: dict[str, list[float]] = defaultdict(list)
    for t_s, job in changes:
        moments[job].append(t_s)
    return [min((t_s for t_s in moments[hit.job] if t_s >= hit.t_s), default=math.inf) - hit.t_s for hit in found]
