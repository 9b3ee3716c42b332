"""Lines of event logs, as Spark's JsonProtocol writes them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

T0_MS = 1_700_000_000_000


def line(event: str, **told: Any) -> bytes:
    return json.dumps({"Event": f"SparkListener{event}", **told}, separators=(",", ":")).encode()


def start(app: str = "app-1", name: str = "kmeans", at_s: float = 0, attempt: str | None = None) -> bytes:
    more = {} if attempt is None else {"App Attempt ID": attempt}
    return line("ApplicationStart", **{"App Name": name, "App ID": app, "Timestamp": ms(at_s), "User": "me", **more})


def end(at_s: float) -> bytes:
    return line("ApplicationEnd", Timestamp=ms(at_s))


def environment(properties: Mapping[str, str]) -> bytes:
    machine = {"Java Version": "17.0.15 (Debian)", "Scala Version": "version 2.13.18"}
    return line("EnvironmentUpdate", **{"JVM Information": machine, "Spark Properties": dict(properties)})


def added(executor: str, at_s: float) -> bytes:
    return line("ExecutorAdded", **{"Timestamp": ms(at_s), "Executor ID": executor, "Executor Info": {}})


def removed(executor: str, at_s: float) -> bytes:
    return line("ExecutorRemoved", **{"Timestamp": ms(at_s), "Executor ID": executor, "Removed Reason": "killed"})


def job_start(job_id: int, at_s: float, stages: Sequence[Mapping[str, Any]]) -> bytes:
    ids = [stage["Stage ID"] for stage in stages]
    return line(
        "JobStart", **{"Job ID": job_id, "Submission Time": ms(at_s), "Stage Infos": list(stages), "Stage IDs": ids}
    )


def job_end(job_id: int, at_s: float) -> bytes:
    return line("JobEnd", **{"Job ID": job_id, "Completion Time": ms(at_s), "Job Result": {"Result": "JobSucceeded"}})


def stage(
    stage_id: int,
    *,
    attempt: int = 0,
    start_s: float | None = None,
    end_s: float | None = None,
    failure: str | None = None,
    parents: Sequence[int] = (),
    tasks: int = 2,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Stage ID": stage_id,
        "Stage Attempt ID": attempt,
        "Stage Name": f"count at Main.scala:{stage_id}",
        "Number of Tasks": tasks,
        "Parent IDs": list(parents),
        "RDD Info": [
            {"Number of Partitions": 2, "Number of Cached Partitions": 1, "Memory Size": 100, "Disk Size": 0},
            {"Number of Partitions": 3, "Number of Cached Partitions": 0, "Memory Size": -1, "Disk Size": 7},
        ],
    }
    if start_s is not None:
        found["Submission Time"] = ms(start_s)
    if end_s is not None:
        found["Completion Time"] = ms(end_s)
    if failure is not None:
        found["Failure Reason"] = failure
    return found


def submitted(stage: Mapping[str, Any]) -> bytes:
    return line("StageSubmitted", **{"Stage Info": {k: v for k, v in stage.items() if k != "Completion Time"}})


def completed(stage: Mapping[str, Any]) -> bytes:
    return line("StageCompleted", **{"Stage Info": dict(stage)})


def task(stage_id: int, attempt: int = 0, **metrics: Any) -> bytes:
    """Metrics: run_ms, cpu_ms, gc_ms, read, written, in_, out, spilled, peak."""
    get = metrics.get
    told = {
        "Executor Run Time": get("run_ms", 1000),
        "Executor CPU Time": int(get("cpu_ms", 500) * 1e6),
        "JVM GC Time": get("gc_ms", 0),
        "Disk Bytes Spilled": get("spilled", 0),
        "Peak Execution Memory": get("peak", 0),
        "Shuffle Read Metrics": {"Remote Bytes Read": get("read", 0), "Local Bytes Read": 0},
        "Shuffle Write Metrics": {"Shuffle Bytes Written": get("written", 0)},
        "Input Metrics": {"Bytes Read": get("in_", 0)},
        "Output Metrics": {"Bytes Written": get("out", 0)},
    }
    return line("TaskEnd", **{"Stage ID": stage_id, "Stage Attempt ID": attempt, "Task Metrics": told})


def small_run(app: str = "app-1") -> list[bytes]:
    """One job with two stages on two executors, 10 s."""
    first, second = stage(0, start_s=1, end_s=4), stage(1, start_s=4, end_s=9, parents=[0], tasks=1)
    return [
        line("LogStart", **{"Spark Version": "3.5.1"}),
        environment({"spark.executor.memory": "4g", "spark.executor.cores": "2", "spark.master": "yarn"}),
        start(app),
        added("1", 0.5),
        added("2", 0.6),
        job_start(0, 1, [stage(0), stage(1, parents=[0])]),
        submitted(first),
        task(0),
        task(0),
        completed(first),
        submitted(second),
        task(1),
        completed(second),
        job_end(0, 9),
        end(10),
    ]


def ms(at_s: float) -> int:
    return T0_MS + round(at_s * 1000)


def at(at_s: float) -> float:
    return T0_MS / 1000 + at_s
