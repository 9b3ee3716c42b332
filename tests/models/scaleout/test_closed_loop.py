"""Real Spark, a real server, and the listener between them. Runs where `make spark` was."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.scaleout.loop_application import JOBS, TASK_MS, TASKS
from tests.support.backends import missing
from tests.support.servers import CHECKOUT, Server

SPARK = CHECKOUT / ".venv" / "spark" / "bin" / "python"
LISTENER = CHECKOUT / "models" / "scaleout" / "spark_listener.py"
EXECUTION_ID = "loop-under-way"
EXECUTORS = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if not SPARK.exists():
        missing("there is no Spark: `make spark` installs it, into an environment of its own")
    if shutil.which("java") is None:
        missing("Java is not installed, which Spark needs: 17 or later")
    server = Server(tmp_path / "state", env={"SERVICE_MODEL": "scaleout"})
    try:
        yield server
    finally:
        server.stop()


def test_a_run_that_would_be_late_gets_the_executors_it_needs(server: Server, tmp_path: Path) -> None:
    # Earlier runs: with one executor the tasks of a job run one after the other, with three they run at once.
    past = [_past(number, executors) for number, executors in enumerate([1, 1, 2, 2, 3, 3, 1, 2, 3])]
    target_s = 0.7 * JOBS * TASKS * TASK_MS / 1000
    under_way = {
        "execution_id": EXECUTION_ID,
        "context": {"system": "spark", "algorithm": "loop"},
        "signature": "loop",
        "min_scale_out": 1,
        "max_scale_out": EXECUTORS,
        "target_s": target_s,
    }
    server.client.post("/scaleout/applications", json={"applications": [*past, under_way]}).raise_for_status()

    told = _run_application(server, tmp_path)

    # Not at the end of the first job: by then one may come that Spark was about to start before it was told of one.
    at_start, in_the_middle = told["waited_for"]
    assert at_start == 1
    assert in_the_middle is not None
    assert max(told["executors"]) == EXECUTORS
    run = server.client.get(f"/scaleout/applications/{EXECUTION_ID}").json()["application"]
    jobs = run["jobs"]
    assert [job["job_id"] for job in jobs] == list(range(JOBS))
    # One that the listener asked for may be there by then.
    assert run["start_scale_out"] < EXECUTORS
    assert max(job["end_scale_out"] for job in jobs) == EXECUTORS
    assert any(job.get("predicted_scale_out") == EXECUTORS for job in jobs)
    stages = [stage for job in jobs for stage in job["stages"].values()]
    assert {stage["num_tasks"] for stage in stages} == {TASKS}
    assert run["end_s"] > run["start_s"]


def _past(number: int, executors: int) -> dict[str, object]:
    """A run with so many executors; the tasks of a job take their time in waves."""
    job_s = -(-TASKS // executors) * TASK_MS / 1000 * (1 + 0.01 * (number % 3))
    start_s = 1_700_000_000.0 + 1000 * number
    jobs = [
        {
            "job_id": job,
            "start_s": start_s + job * job_s,
            "end_s": start_s + (job + 1) * job_s,
            "start_scale_out": executors,
            "end_scale_out": executors,
            "stages": {},
        }
        for job in range(JOBS)
    ]
    return {
        "execution_id": f"loop-{number}",
        "context": {"system": "spark", "algorithm": "loop"},
        "signature": "loop",
        "start_s": start_s,
        "end_s": start_s + JOBS * job_s,
        "start_scale_out": executors,
        "end_scale_out": executors,
        "jobs": jobs,
    }


def _run_application(server: Server, tmp_path: Path) -> dict[str, Any]:
    logs = tmp_path / "logs"
    logs.mkdir()
    own = "spark.customExtraListener."
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    settings = {
        "spark.master": f"local-cluster[{EXECUTORS},1,1024]",
        "spark.executor.memory": "512m",
        "spark.executor.extraJavaOptions": java,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": logs.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        f"{own}url": server.url,
        f"{own}applicationExecutionId": EXECUTION_ID,
        f"{own}initialExecutors": "1",
        f"{own}restTimeout": "20",
    }
    arguments = " ".join(f"--conf '{key}={value}'" for key, value in settings.items())
    done = subprocess.run(
        [str(SPARK), str(CHECKOUT / "tests/models/scaleout/loop_application.py"), str(LISTENER)],
        capture_output=True,
        text=True,
        timeout=400,
        env={
            **os.environ,
            "PYSPARK_SUBMIT_ARGS": f"--driver-memory 600m --driver-java-options '{java}' {arguments} pyspark-shell",
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
