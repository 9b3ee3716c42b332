"""How long until the job of a worker that vanished runs again. Workers are killed with all their processes at once, as
when a machine is lost; a worker whose job processes outlive it has its jobs put back by them at once.
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.jobs import atoll, marks
from benchmarks.jobs.worker import Worker
from benchmarks.report import NotMeasured
from benchmarks.server import Server

_EACH = 2
_LONG_S = 3600.0
_PATIENCE_S = 120.0
# The kills fall anywhere in the rounds of heartbeats and of the scheduler.
_SPREAD_S = 20.0


def measure(database_url: str, state: Path, kills: int, scratch: Path) -> list[float]:
    """Seconds from the kill of each worker to the moment its jobs began again. Default settings."""
    sender = atoll.Sender(state, database_url)
    settings = atoll.settings(state, database_url)
    command = [*atoll.WORKER, "--concurrency", str(_EACH)]
    with ExitStack() as stack:
        workers: list[Worker] = []
        files: list[Sequence[Path]] = []
        for number in range(kills):
            worker = stack.enter_context(Worker(command, settings))
            workers.append(worker)
            files.append([_start_job(sender, scratch / f"killed-{number}-{job}") for job in range(_EACH)])
            # The next worker starts when this one is full, so that each has its jobs.
            worker.wait_for(lambda: all(map(marks.count, files[-1])), _PATIENCE_S, "the start of a job")
        # The one that looks after all, and runs the jobs again; they go on sleeping, so it needs room for all.
        host = settings | {"JOB_CONCURRENCY": str(kills * _EACH)}
        stack.enter_context(Server(state, state, settings=host))
        rng = random.Random(1)
        killed: list[float] = []
        for worker in workers:
            time.sleep(rng.uniform(0, 2 * _SPREAD_S / kills))
            killed.append(time.time())
            worker.kill()
        return _wait(killed, files)


def _start_job(sender: atoll.Sender, file: Path) -> Path:
    sender.send(str(file), time.time(), _LONG_S)
    return file


def _wait(killed: Sequence[float], files: Sequence[Sequence[Path]]) -> list[float]:
    wanted = [file for group in files for file in group]
    until = time.monotonic() + _PATIENCE_S
    while not all(marks.count(file) >= 2 for file in wanted):
        if time.monotonic() > until:
            missing = sum(marks.count(file) < 2 for file in wanted)
            raise NotMeasured(f"{missing} of {len(wanted)} jobs did not run again in {_PATIENCE_S:.0f} s")
        time.sleep(0.2)
    return [marks.read(file)[1][1] - at for at, group in zip(killed, files, strict=True) for file in group]
