"""AWS as moto imitates it, in a server of its own, whose AWS Batch runs each job as a process of this machine.

moto itself runs jobs in Docker, or only pretends. Here a job's command is run with its environment, in a session of its
own, its output goes to moto's CloudWatch line by line, and the exit code becomes the job's. Not imitated: images,
queues that are full, hosts that go away, job definitions' own commands.

`python -m tests.support.moto_batch PORT FOLDER` serves; `MotoBatch` starts that, and makes a queue and a bucket.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.servers import CHECKOUT, free_port

REGION, BUCKET, QUEUE, OTHER_QUEUE = "eu-central-1", "atoll-test", "cpu", "other"
# moto takes any, and looks at none.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_START_S = 60.0
_PATIENCE_S = 30.0


class MotoBatch:
    """A moto server with the bucket `BUCKET`, and the queues `QUEUE` and `OTHER_QUEUE`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(exist_ok=True)
        self._log = folder / "moto.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.moto_batch", str(self.port), str(folder)],
                cwd=CHECKOUT,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **CREDENTIALS},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()
        self._furnish()

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto looks at none
        )

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + _START_S
        while True:
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            try:
                urlopen(f"{self.url}/moto-api/data.json", timeout=5).close()
            except OSError:
                assert time.monotonic() < end, self._log.read_text()[-3000:]
                time.sleep(0.1)
                continue
            return

    def _furnish(self) -> None:
        self.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        role = self.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        batch = self.client("batch")
        environment = batch.create_compute_environment(
            computeEnvironmentName="all", type="UNMANAGED", state="ENABLED", serviceRole=role
        )["computeEnvironmentArn"]
        for queue in (QUEUE, OTHER_QUEUE):
            order = [{"order": 1, "computeEnvironment": environment}]
            batch.create_job_queue(jobQueueName=queue, state="ENABLED", priority=1, computeEnvironmentOrder=order)


def _run(job: Any) -> None:
    """What moto's `Job.run` does, with a process for the container."""
    if job.depends_on and not job._wait_for_dependencies():
        job.job_stopped_reason = job.job_stopped_reason or "Dependent Job failed"
        return
    if job.stop:
        job._mark_stopped(success=False)
        return
    job.log_stream_name = job._stream_name
    job._log_backend.ensure_log_group(job._log_group)
    job._log_backend.ensure_log_stream(job._log_group, job.log_stream_name)
    job.job_started_at = datetime.now()
    job._start_attempt()
    job.status = "RUNNING"
    overrides = {one["name"]: one["value"] for one in job._get_container_property("environment", [])}
    index = job.array_properties.get("index")
    numbered = {} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
    process = subprocess.Popen(
        job._get_container_property("command", []),
        env={"PATH": os.environ["PATH"], "TMPDIR": os.environ["TMPDIR"], **overrides, **numbered}
        | {"AWS_BATCH_JOB_ID": job.job_id},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    reader = threading.Thread(target=_relay, args=(job, process), daemon=True)
    reader.start()
    killed_at = None
    limit_s = job._get_attempt_duration()
    begun = time.monotonic()
    while process.poll() is None:
        late = bool(limit_s) and time.monotonic() - begun > limit_s
        if late and not job.stop:
            job.terminate("Job attempt duration exceeded timeout")
        if job.stop and killed_at is None:
            # As a container is: its first process is asked, and after a while all of it is killed.
            process.terminate()
            killed_at = time.monotonic() + _PATIENCE_S
        if killed_at is not None and time.monotonic() > killed_at:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.05)
    reader.join(5)
    job.exit_code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    if job.exit_code and job.job_stopped_reason is None:
        job.job_stopped_reason = "Essential container in task exited"
    job._mark_stopped(success=job.exit_code == 0 and not job.stop)


def _relay(job: Any, process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        event = {"timestamp": int(time.time() * 1000), "message": line.decode("utf-8", "replace").rstrip("\n")}
        job._log_backend.put_log_events(job._log_group, job.log_stream_name, [event])


def _described(describe: Any) -> Any:
    """DescribeJobs with what moto leaves out: exit code, `isTerminated`, and an array's end."""

    def described(job: Any) -> dict[str, Any]:
        result: dict[str, Any] = describe(job)
        if job.exit_code is not None:
            result["container"]["exitCode"] = job.exit_code
        result["isTerminated"] = bool(job.stop)
        if job._child_jobs and all(child.job_stopped for child in job._child_jobs):
            failed = any(child.status != "SUCCEEDED" for child in job._child_jobs)
            result["status"] = job.status = "FAILED" if failed else "SUCCEEDED"
        return result

    return described


def _terminated(terminate: Any) -> Any:
    """TerminateJob of an array reaches its elements."""

    def terminated(job: Any, reason: str) -> None:
        terminate(job, reason)
        for child in job._child_jobs or ():
            child.terminate(reason)

    return terminated


def _serve(port: int, folder: str) -> None:
    os.environ["TMPDIR"] = folder
    from moto.batch.models import Job
    from moto.server import main

    for name, changed in (
        ("run", _run),
        ("describe", _described(Job.describe)),
        ("terminate", _terminated(Job.terminate)),
    ):
        setattr(Job, name, changed)
    main(["-H", "127.0.0.1", "-p", str(port)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2])
