"""AWS Batch as moto imitates it, with jobs run as processes; S3, CloudWatch and IAM are moto's too."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from common.errors import Invalid
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import Known
from common.submission.runners.aws import jobs
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.runner import AwsBatchRunner
from common.submission.states import TaskState
from tests.common.submission.runners.tasks import files, finish, known, log, package, run, submission, submit, wait_for
from tests.support.moto_batch import BUCKET, OTHER_QUEUE, QUEUE, MotoBatch

PROGRAM = """
import json, os
print("parameters", json.load(open(os.environ["ATOLL_PARAMS"])))
folder = os.environ["ATOLL_OUTPUT_DIR"]
json.dump({"accuracy": 0.5}, open(f"{folder}/metrics.json", "w"))
os.symlink("/etc/passwd", f"{folder}/link")
assert "ATOLL_MANIFEST" not in os.environ
"""
ELEMENT = """
import os
index = os.environ["ATOLL_ARRAY_INDEX"]
print("element", index)
open(os.environ["ATOLL_OUTPUT_DIR"] + f"/{index}.txt", "w").write(index)
raise SystemExit(int(index) % 2)
"""


def jobs_named(moto: MotoBatch, name: str) -> list[str]:
    found = moto.client("batch").list_jobs(jobQueue=QUEUE, filters=[{"name": "JOB_NAME", "values": [name]}])
    return [job["jobId"] for job in found["jobSummaryList"]]


def test_a_task_runs_on_moto_and_its_log_and_files_come_back(runner: AwsBatchRunner) -> None:
    task, seen = run(runner, PROGRAM, parameters={"n_estimators": 2})
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.SUCCEEDED, 0, None)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert "parameters {'n_estimators': 2}" in log(runner, task)
    assert runner.read_log(task, 3, 4).content == b"amet"
    found = files(runner, task)
    assert sorted(found) == ["output/metrics.json", "task.log"]


def test_cleaning_on_moto_leaves_nothing_in_the_bucket(runner: AwsBatchRunner, moto: MotoBatch) -> None:
    task, _ = run(runner, PROGRAM)
    runner.clean(task)
    runner.clean(task)
    assert "Contents" not in moto.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"atoll/{task.name}/")


def test_a_failing_task_tells_its_exit_code_on_moto(runner: AwsBatchRunner) -> None:
    task, seen = run(runner, "import sys; sys.exit('no data')")
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.FAILED, 1, "ExitCode")
    assert "no data" in log(runner, task)


def test_the_log_of_a_running_task_is_read_from_motos_cloudwatch(runner: AwsBatchRunner) -> None:
    program = "import time\nfor n in range(3): print('line', n, flush=True)\ntime.sleep(600)"
    task = submit(runner, program)
    wait_for(runner, task, lambda _: log(runner, task).count("\n") == 3)
    assert runner.read_log(task, 7, 7).content == b"line 1\n"
    assert runner.read_log(task, 21, 100).content == b""
    runner.cancel(task)
    finish(runner, task)


def test_a_running_log_is_put_into_motos_bucket_where_asked(config: AwsBatchConfig) -> None:
    changed = config.model_copy(update={"live_logs": "bucket", "log_every_s": 1})
    runner = AwsBatchRunner(changed)
    task = submit(runner, "import time\nprint('here', flush=True)\ntime.sleep(600)")
    wait_for(runner, task, lambda _: log(runner, task) == "here\n")
    assert runner.observe([task])[0].state is TaskState.RUNNING
    runner.cancel(task)
    finish(runner, task)
    runner.close()


def test_a_task_over_its_time_is_timed_out_on_moto(runner: AwsBatchRunner) -> None:
    _, seen = run(runner, "import time\ntime.sleep(600)", time_limit_s=1)
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.TIMED_OUT, 124, "TimeLimit")


def test_a_running_task_is_cancelled_on_moto_and_its_results_so_far_are_kept(runner: AwsBatchRunner) -> None:
    program = (
        "import os, time\nopen(os.environ['ATOLL_OUTPUT_DIR'] + '/half', 'w').write('x')\n"
        "print('waiting', flush=True)\ntime.sleep(600)"
    )
    task = submit(runner, program)
    wait_for(runner, task, lambda _: "waiting" in log(runner, task))
    runner.cancel(task)
    runner.cancel(task)
    assert finish(runner, task).state is TaskState.CANCELLED
    runner.cancel(task)
    assert files(runner, task) == {"output/half": b"x", "task.log": b"waiting\n"}


def test_submitting_twice_makes_one_job_on_moto(runner: AwsBatchRunner, moto: MotoBatch) -> None:
    task = submission(runner)
    assert runner.find(task) is None
    first = runner.submit(task, package(runner, task, PROGRAM))
    assert runner.submit(task, package(runner, task, PROGRAM)) == first
    assert runner.find(task) == first
    assert jobs_named(moto, task.name) == [first]
    finish(runner, known(task, first))
    assert runner.find(task) == first


def test_of_two_jobs_of_one_name_on_moto_one_runs_the_program_and_both_are_told(
    runner: AwsBatchRunner, moto: MotoBatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    task = submission(runner)
    program = f"open({str(ran)!r}, 'a').write('x')\nimport time\ntime.sleep(1)"
    first = runner.submit(task, package(runner, task, program))
    # The same once more, as a call that was carried out long after its caller had given up.
    described = moto.client("batch").describe_jobs(jobs=[first])["jobs"][0]
    environment = [one for one in described["container"]["environment"] if one["name"] == "ATOLL_MANIFEST"]
    second = moto.client("batch").submit_job(
        jobName=task.name,
        jobQueue=QUEUE,
        jobDefinition=described["jobDefinition"],
        containerOverrides={"command": described["container"]["command"], "environment": environment},
    )["jobId"]
    for job_id in (first, second):
        finish(runner, known(task, job_id))
    assert ran.read_text() == "x"
    # Whichever of them is on record, the one that ran the program is among what is told.
    owner = moto.client("s3").get_object(Bucket=BUCKET, Key=f"atoll/{task.name}/claim")["Body"].read().decode()
    for job_id in (first, second):
        assert owner in {one.cluster_job_id for one in runner.observe([known(task, job_id)])}


def test_of_two_arrays_of_one_name_on_moto_one_runs_all_elements(
    runner: AwsBatchRunner, moto: MotoBatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    task = submission(runner, array="0-5")
    program = f"import os\nopen({str(ran)!r}, 'a').write(os.environ['ATOLL_CLUSTER_JOB_ID'] + ' ')"
    first = runner.submit(task, package(runner, task, program))
    described = moto.client("batch").describe_jobs(jobs=[first])["jobs"][0]
    environment = [one for one in described["container"]["environment"] if one["name"] == "ATOLL_MANIFEST"]
    second = moto.client("batch").submit_job(
        jobName=task.name,
        jobQueue=QUEUE,
        jobDefinition=described["jobDefinition"],
        arrayProperties={"size": 6},
        containerOverrides={"command": described["container"]["command"], "environment": environment},
    )["jobId"]
    for job_id in (first, second):
        assert finish(runner, known(task, job_id)).state is TaskState.SUCCEEDED
    owner = moto.client("s3").get_object(Bucket=BUCKET, Key=f"atoll/{task.name}/claim")["Body"].read().decode()
    assert ran.read_text().split() == [owner] * 6


def test_a_submission_whose_id_was_lost_is_seen_by_its_name_on_moto(runner: AwsBatchRunner) -> None:
    task = submission(runner)
    job_id = runner.submit(task, package(runner, task, "import time; time.sleep(600)"))
    nameless = Known(task.task_id, task.name, None, task.owner, task.spec)
    [seen] = runner.observe([nameless])
    assert (seen.name, seen.cluster_job_id) == (task.name, job_id)
    runner.cancel(nameless)
    finish(runner, nameless)


def test_tasks_that_moto_does_not_know_are_left_out(runner: AwsBatchRunner) -> None:
    task = known(submission(runner), "00000000-0000-0000-0000-000000000000")
    assert runner.observe([task]) == []
    runner.cancel(task)


def test_an_array_runs_on_moto_with_the_users_indices(runner: AwsBatchRunner) -> None:
    task, seen = run(runner, ELEMENT, array="1,4-8:2")
    assert seen.state is TaskState.FAILED
    assert [(one.index, one.state, one.exit_code) for one in seen.elements] == [
        (1, TaskState.FAILED, 1),
        (4, TaskState.SUCCEEDED, 0),
        (6, TaskState.SUCCEEDED, 0),
        (8, TaskState.SUCCEEDED, 0),
    ]
    assert log(runner, task, 6) == "element 6\n"
    assert sorted(files(runner, task)) == sorted(
        [f"task-{index}.log" for index in (1, 4, 6, 8)] + [f"output/{index}.txt" for index in (1, 4, 6, 8)]
    )


def test_an_array_of_one_runs_on_moto(runner: AwsBatchRunner) -> None:
    task, seen = run(runner, ELEMENT, array="5")
    assert [(one.index, one.exit_code) for one in seen.elements] == [(5, 1)]
    assert log(runner, task, 5) == "element 5\n"
    assert sorted(files(runner, task)) == ["output/5.txt", "task-5.log"]


def test_a_task_waits_on_moto_for_what_it_depends_on(runner: AwsBatchRunner, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    first = submission(runner)
    first_id = runner.submit(first, package(runner, first, wait))
    second = submission(runner)
    second = type(second)(second.task_id, second.name, second.owner, second.spec, (first_id,))
    second_id = runner.submit(second, package(runner, second, PROGRAM))
    assert runner.observe([known(second, second_id)])[0].state is TaskState.PENDING
    go.write_text("")
    assert finish(runner, known(first, first_id)).state is TaskState.SUCCEEDED
    assert finish(runner, known(second, second_id)).state is TaskState.SUCCEEDED


def test_one_job_definition_is_registered_on_moto_for_each_image(
    runner: AwsBatchRunner, config: AwsBatchConfig, moto: MotoBatch
) -> None:
    image = "registry.example.org/team/image:1"
    for made in (runner, AwsBatchRunner(config)):
        for _ in range(2):
            run(made, "pass", image=image)
    found = moto.client("batch").describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    assert len([one for one in found if one["containerProperties"]["image"] == image]) == 1


def test_motos_queues_are_told_and_an_unknown_one_is_refused(runner: AwsBatchRunner) -> None:
    runner.check(submission(runner, partition="nowhere").spec)
    info = runner.info()
    assert (info.state, [(one.name, one.is_default) for one in info.partitions]) == (
        "up",
        [(QUEUE, True), (OTHER_QUEUE, False)],
    )
    with pytest.raises(Invalid, match="partition: is no job queue of this cluster; there are cpu, other"):
        runner.check(submission(runner, partition="nowhere").spec)
    task = submission(runner, partition="nowhere")
    with pytest.raises(ClusterRefused, match="nowhere does not exist"):
        runner.submit(task, package(runner, task, PROGRAM))


def test_a_bucket_that_is_not_there_is_told_by_moto(config: AwsBatchConfig) -> None:
    runner = AwsBatchRunner(config.model_copy(update={"bucket": "no-such-bucket"}))
    assert (runner.info().state, "404" in runner.info().detail) == ("down", True)
    task = submission(runner)
    with pytest.raises(ClusterRefused, match="NoSuchBucket"):
        runner.submit(task, package(runner, task, PROGRAM))
    runner.close()


def test_a_large_file_travels_through_motos_bucket(runner: AwsBatchRunner) -> None:
    task = submission(runner, inputs=["big"])
    program = (
        "import hashlib, os\ndata = open(os.environ['ATOLL_INPUT_DIR'] + '/big', 'rb').read()\n"
        "print(len(data))\nopen(os.environ['ATOLL_OUTPUT_DIR'] + '/big', 'wb').write(data[::-1])"
    )
    content = bytes(range(256)) * (20 << 12)
    job_id = runner.submit(task, package(runner, task, program, **{"inputs/big": content}))
    assert finish(runner, known(task, job_id)).state is TaskState.SUCCEEDED
    found = files(runner, known(task, job_id))
    assert found["task.log"] == f"{len(content)}\n".encode()
    assert found["output/big"] == content[::-1]


def test_a_preview_shows_what_moto_is_sent_but_no_signature(runner: AwsBatchRunner) -> None:
    shown = runner.preview(submission(runner))
    assert "<signed address>" in shown
    assert "Signature" not in shown
    assert f'"jobQueue": "{QUEUE}"' in shown


class _Fault(BaseHTTPRequestHandler):
    """Answers everything with one error."""

    status, code = 500, ""

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = f'{{"message": "told by the fault", "code": "{self.code}"}}'.encode()
        if "batch" not in self.headers.get("Authorization", ""):
            content = f"<Error><Code>{self.code}</Code><Message>told by the fault</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("x-amzn-ErrorType", self.code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815 - the server's own names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        pass


@pytest.fixture
def faulty(config: AwsBatchConfig) -> Iterator[AwsBatchRunner]:
    """A runner whose services answer with `_Fault.code`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Fault)
    Thread(target=server.serve_forever, daemon=True).start()
    made = AwsBatchRunner(config.model_copy(update={"endpoint": f"http://127.0.0.1:{server.server_address[1]}"}))
    yield made
    made.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (429, "TooManyRequestsException", ClusterDown, "busy"),
        (400, "ThrottlingException", ClusterDown, "busy"),
        (500, "ServerException", ClusterDown, "busy"),
        (503, "ServiceUnavailable", ClusterDown, "busy"),
        (403, "ExpiredTokenException", ClusterDown, "renew them"),
        (403, "UnrecognizedClientException", ClusterDown, "renew them"),
        (403, "SignatureDoesNotMatch", ClusterDown, "renew them"),
        (403, "AccessDeniedException", ClusterRefused, "IAM policy"),
        (400, "ClientException", ClusterRefused, "told by the fault"),
    ],
)
def test_errors_are_told_apart_at_a_submission(
    faulty: AwsBatchRunner, monkeypatch: pytest.MonkeyPatch, status: int, code: str, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(_Fault, "status", status)
    monkeypatch.setattr(_Fault, "code", code)
    with pytest.raises(error, match=said):
        faulty.find(submission(faulty))
    # And looking at tasks is never refused: they wait until it works again.
    with pytest.raises(ClusterDown):
        faulty.observe([known(submission(faulty), "some-id")])
    assert faulty.info().state == "down"


def test_a_service_that_does_not_answer_is_down_in_its_own_time(config: AwsBatchConfig) -> None:
    class Silent(_Fault):
        def _serve(self) -> None:
            time.sleep(30)

        do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815 - as above

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    runner = AwsBatchRunner(
        config.model_copy(update={"endpoint": f"http://127.0.0.1:{server.server_address[1]}", "timeout_s": 0.3})
    )
    with pytest.raises(ClusterDown, match="does not answer at DescribeJobs: ReadTimeoutError"):
        runner.observe([known(submission(runner), "some-id")])
    runner.close()
    server.shutdown()
    server.server_close()


def test_renewed_credentials_are_read_by_themselves(config: AwsBatchConfig, tmp_path: Path) -> None:
    runner = AwsBatchRunner(config)
    first = runner._connection.batch
    assert runner._connection.batch is first
    (tmp_path / "secret").write_text("renewed")
    assert runner._connection.batch is not first
    (tmp_path / "secret").unlink()
    with pytest.raises(ClusterDown, match="a secret of this cluster is missing"):
        runner.find(submission(runner))
    runner.close()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"nodes": 2}, "nodes: a task has one node"),
        ({"array": "0-3%2"}, "array: AWS Batch bounds elements by its queue"),
        ({"array": "0-5000"}, "array: has at most 1000"),
        ({"modules": ["gcc"]}, "modules: containers have none"),
        ({"time_limit_s": 7 * 86_400}, "time_limit: is at most"),
        ({"dependencies": ["0" * 27] * 21}, "dependencies: AWS Batch takes at most 20"),
    ],
)
def test_what_aws_could_not_run_is_refused_before_it_is_asked(
    runner: AwsBatchRunner, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        runner.check(submission(runner, **fields).spec)


def test_what_a_task_asks_for_reaches_aws(config: AwsBatchConfig, runner: AwsBatchRunner) -> None:
    task = submission(
        runner, cpus=4, memory_bytes=(3 << 30) + 1, gpus=1, time_limit_s=10, requeue=True, account="twinscie"
    )
    told = jobs.submission(task, config, "definition:1", "url")
    assert told["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "4"},
        {"type": "MEMORY", "value": "3073"},
        {"type": "GPU", "value": "1"},
    ]
    assert told["timeout"] == {"attemptDurationSeconds": 130}
    assert told["retryStrategy"]["attempts"] == 3
    assert told["tags"] == {"atoll:task": task.task_id, "atoll:account": "twinscie"}


def test_a_cluster_without_credentials_says_what_to_set(
    config: AwsBatchConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    without = AwsBatchRunner(config.model_copy(update={"access_key": None, "secret_key": None}))
    with pytest.raises(ClusterDown, match="there are no credentials for AWS"):
        without.find(submission(without))
    other = AwsBatchRunner(config.model_copy(update={"access_key": None, "secret_key": None, "profile": "nobody"}))
    with pytest.raises(ClusterDown, match="the profile of this cluster is not in the files of AWS"):
        other.find(submission(other))
    without.close()
    other.close()
