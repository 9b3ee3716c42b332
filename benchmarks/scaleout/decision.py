"""What a listener waits for: the route that records a job's end and answers with a plan, in this process, on one core.

`python -m benchmarks.scaleout.decision`; `--runs-known 10000` measures how the store's size matters. The runs are the
carried ones, of the length that is measured; the graph model has random weights, since only its time counts here.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.report import NotMeasured
from benchmarks.scaleout.tables import Table, printed
from models.scaleout.records import Application, JobExecution, Stage

_JOBS, _LOW, _HIGH, _KNOWN, _ASKED = 35, 4, 36, 65, 5
_ALGORITHM = "kmeans"
_DAY_S, _BEGAN_S = 86_400.0, 1_700_000_000.0
_UPDATE, _ONLINE = "/training/update_information", "/prediction/online_scale_out_prediction"
_REACH_MS = 100.0
_HISTORIES = 50


@dataclass
class Times:
    """Milliseconds of each answer.

    Attributes
    ----------
    first : the CPU time of those after another run has ended, when what was fitted is fitted again.
    wall, cpu : of all: the time that passed, and that of this process.
    """

    first: list[float]
    wall: list[float]
    cpu: list[float]


def run(known: int = _KNOWN) -> list[Table]:
    """
    Raises
    ------
    NotMeasured
        The traces are absent.
    """
    past = made(known)
    head = (
        "plans by",
        "jobs",
        "candidates",
        "runs known",
        "p50 ms",
        "p95 ms",
        "CPU p50 ms",
        "CPU p95 ms",
        "CPU after a new run, ms",
    )
    table = Table("A decision by the route", head)
    with one_core(), tempfile.TemporaryDirectory() as folder:
        for name in ("curves", "ellis", "graph"):
            times, planned_by = asyncio.run(measured(Path(folder) / name, name, past))
            p95 = float(np.quantile(times.wall, 0.95))
            table.add(
                planned_by,
                str(_JOBS),
                str(_HIGH - _LOW + 1),
                str(known),
                f"{float(np.median(times.wall)):.0f}",
                f"{p95:.0f}{' MISSED' if p95 > _REACH_MS else ''}",
                f"{float(np.median(times.cpu)):.0f}",
                f"{float(np.quantile(times.cpu, 0.95)):.0f}",
                f"{max(times.first):.0f}",
            )
    load = os.getloadavg()[0]
    table.notes.append(
        f"`POST {_ONLINE}` in this process, against SQLite, on one core: event recorded, runs looked up, planned, plan "
        f"kept, answered. {_ASKED} runs of {_JOBS} jobs. The load of the machine was {load:.1f}; what is above the CPU "
        "time of this process was spent waiting for a core or for the disk. In the last column is the longest of the "
        "answers after a run was added, when all is fitted anew; the others hold these too."
    )
    return [table]


def made(count: int) -> list[Application]:
    """So many runs, one a day, each as long as is measured."""
    from models.scaleout.traces import carried

    try:
        found = [one for one in carried() if one.context.algorithm == _ALGORITHM and one.jobs]
    except FileNotFoundError:
        raise NotMeasured("there are no carried traces: models/scaleout/traces") from None
    if not found:
        raise NotMeasured(f"no run of {_ALGORITHM} is carried")
    rng = np.random.default_rng(0)
    scale_outs = rng.integers(_LOW, _HIGH + 1, count)
    return [
        lengthened(found[number % len(found)], f"run-{number}", number, int(scale_outs[number]), rng.lognormal(0, 0.1))
        for number in range(count)
    ]


def lengthened(source: Application, name: str, day: int, scale_out: int, slowness: float) -> Application:
    """A run of so many jobs, those of `source` again and again, one after the other."""
    now_s, jobs = _BEGAN_S + day * _DAY_S, []
    begun_s = now_s
    for number in range(_JOBS):
        like = source.jobs[number % len(source.jobs)]
        from_s, factor = like.start_s or 0.0, slowness * (0.3 + 8.0 / scale_out)

        def at(time_s: float | None, begun: float = now_s, since: float = from_s, by: float = factor) -> float | None:
            return None if time_s is None else begun + (time_s - since) * by

        stages: dict[int, Stage] = {}
        for place, stage in enumerate(like.stages.values()):
            stage_id = number * 100 + place
            parents = tuple(stages)[-1:]
            stages[stage_id] = replace(
                stage,
                stage_id=stage_id,
                parents=parents,
                start_s=at(stage.start_s),
                end_s=at(stage.end_s),
                start_scale_out=scale_out,
                end_scale_out=scale_out,
            )
        end_s = at(like.end_s) or now_s + 1.0
        jobs.append(JobExecution(number, now_s, end_s, scale_out, scale_out, stages=stages))
        now_s = end_s + 0.2
    context = replace(source.context, data_size_mb=1000.0)
    return replace(
        source,
        execution_id=name,
        context=context,
        signature="measured",
        start_s=begun_s,
        end_s=now_s,
        start_scale_out=scale_out,
        end_scale_out=scale_out,
        min_scale_out=_LOW,
        max_scale_out=_HIGH,
        jobs=tuple(jobs),
    )


async def measured(folder: Path, name: str, past: Sequence[Application]) -> tuple[Times, str]:
    """Of an app of its own; and what planned, by its own name."""
    from common.app import create_app
    from common.settings import PluginSettings, Settings, StorageSettings, TelemetrySettings
    from models.scaleout.system import system_for

    settings = Settings(
        plugins=PluginSettings(service_model=("scaleout",)),
        storage=StorageSettings(state_dir=folder),
        telemetry=TelemetrySettings(level="CRITICAL"),
    )
    app = create_app(settings)
    store = system_for(app.state.runtime).store
    for one in past:
        store.add(one)
    target_s = 1.1 * float(np.median([one.runtime_s or 0.0 for one in past]))
    times, planned_by = Times([], [], []), ""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        # The first request looks which version serves, and finds none.
        await client.get(f"/preload/{_ALGORITHM}")
        with serving(folder, name == "graph"):
            for number in range(_ASKED):
                asked = lengthened(past[-1], f"asked-{number}", len(past) + number, 12, 1.0)
                solution = "ellis" if name == "ellis" else "enel"
                store.add(replace(asked, end_s=None, jobs=(), target_s=target_s, solution=solution))
                for place, job in enumerate(asked.jobs):
                    wall_s, cpu_s = time.perf_counter(), time.process_time()
                    answer = await client.post(_ONLINE, json=event(asked.execution_id, job))
                    wall_ms, cpu_ms = 1000 * (time.perf_counter() - wall_s), 1000 * (time.process_time() - cpu_s)
                    if answer.status_code != 200 or answer.headers["x-plan"] != "new":
                        raise NotMeasured(f"answered {answer.status_code} {dict(answer.headers)} {answer.text[:200]}")
                    times.wall.append(wall_ms)
                    times.cpu.append(cpu_ms)
                    if not place:
                        times.first.append(cpu_ms)
                        planned_by = str((store.plan(asked.execution_id) or {}).get("model"))
                ended = {"end_time": round(1000 * (asked.end_s or 0.0))}
                told = {"application_execution_id": asked.execution_id, "update_event": "APPLICATION_END"}
                await client.post(_UPDATE, json={**told, "updates": ended})
    return times, planned_by


def event(execution_id: str, job: JobExecution) -> dict[str, Any]:
    """The end of a job as a listener tells it."""
    return {
        "application_execution_id": execution_id,
        "update_event": "JOB_END",
        "job_id": job.job_id,
        "predict": True,
        "updates": {
            "start_time": _ms(job.start_s),
            "end_time": _ms(job.end_s),
            "start_scale_out": job.start_scale_out,
            "end_scale_out": job.end_scale_out,
            "stages": {str(number): _stage(stage) for number, stage in job.stages.items()},
        },
    }


def _stage(stage: Stage) -> dict[str, Any]:
    metrics = dict(zip(stage.metrics.names(), stage.metrics.values(), strict=True))
    return {
        "stage_id": stage.stage_id,
        "stage_name": stage.name,
        "attempt_id": stage.attempt,
        "num_tasks": stage.num_tasks,
        "parent_stage_ids": list(stage.parents),
        "start_time": _ms(stage.start_s),
        "end_time": _ms(stage.end_s),
        "start_scale_out": stage.start_scale_out,
        "end_scale_out": stage.end_scale_out,
        "rdd_num_partitions": stage.rdd_num_partitions,
        "rdd_num_cached_partitions": stage.rdd_num_cached_partitions,
        "rdd_mem_size": stage.rdd_mem_size,
        "rdd_disk_size": stage.rdd_disk_size,
        "metrics": metrics,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds)


@contextmanager
def serving(folder: Path, is_wanted: bool) -> Iterator[None]:
    """A graph model of the size that a training makes."""
    from common.registry.held import Held
    from models.scaleout import space
    from models.scaleout.artefact import FILES, pack
    from models.scaleout.serving import serve_version
    from tests.models.scaleout.graph.untrained import untrained

    if not is_wanted:
        yield
        return
    for name, content in pack(untrained(space.DEFAULTS["hidden"], space.FINAL_MEMBERS)).items():
        (folder / name).write_bytes(content)
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    serve_version(Held(1, folder, digests, lambda name: folder / name))
    try:
        yield
    finally:
        serve_version(Held(None, folder, {}, lambda name: folder / name))


@contextmanager
def one_core() -> Iterator[None]:
    """All threads of this process on one of its cores, where the system lets us choose."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if before:
        os.sched_setaffinity(0, {min(before)})
    try:
        with threadpool_limits(1):
            yield
    finally:
        if before:
            os.sched_setaffinity(0, before)


def history(count: int) -> Table:
    """How long it takes to look up the runs that count, of so many that are recorded."""
    from common.database import Database
    from models.scaleout.past import Past
    from models.scaleout.store import RunStore

    runs = made(min(count, 200))
    rows: list[float] = []
    with one_core(), tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/runs.db")
        store = RunStore(database)
        for number in range(count):
            # Their jobs would take an hour to write; only those of the newest are ever read.
            like = runs[number % len(runs)]
            is_read = number >= count - len(runs)
            store.add(replace(like, execution_id=f"run-{number}", jobs=like.jobs if is_read else ()))
        past, asked = Past(store), runs[-1]
        for number in range(_HISTORIES + 1):
            store.update(f"run-{count - 1}", {"end_s": (asked.end_s or 0.0) + number})
            began = time.perf_counter()
            found = past.history(asked.context, asked.signature)
            rows.append(1000 * (time.perf_counter() - began))
        database.close()
    first, *later = rows
    table = Table("Runs looked up", ("recorded", "that count", "first ms", "one has changed, p50 ms", "p95 ms"))
    p50, p95 = (f"{float(np.quantile(later, share)):.1f}" for share in (0.5, 0.95))
    table.add(str(count), str(len(found.runs)), f"{first:.0f}", p50, p95)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scaleout.decision", description=__doc__)
    parser.add_argument("--runs-known", type=int, default=0, help="also look runs up among so many, e.g. 10000")
    given = parser.parse_args()

    def tables() -> list[Table]:
        found = run()
        return [*found, history(given.runs_known)] if given.runs_known else found

    return printed("decision", tables)


if __name__ == "__main__":
    sys.exit(main())
