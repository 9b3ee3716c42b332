"""The runner against the stand-in for Kubernetes, which checks applications by the CRD's schema and runs none of them:
what an operator would say is put there by the test."""

import time
from pathlib import Path
from typing import Any

import pytest

from common.storage.directory import DirectoryShare
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import Known, Submission
from common.submission.runners.kubernetes.connection import APPLICATIONS, Connection
from common.submission.runners.spark.config import SparkConfig
from common.submission.runners.spark.manifest import application
from common.submission.runners.spark.runner import SparkRunner
from common.submission.states import TaskState
from tests.common.submission.runners.kubernetes.conftest import NAMESPACE, standin
from tests.common.submission.runners.kubernetes.tasks import collected, known_of, package_of, submission_of
from tests.common.submission.runners.spark.test_manifest import FULL, spark_spec
from tests.support.k8s_standin import K8sStandIn

__all__ = ["standin"]
PATH = f"/apis/sparkoperator.k8s.io/v1beta2/namespaces/{NAMESPACE}/sparkapplications"


@pytest.fixture
def runner(standin: K8sStandIn, tmp_path: Path) -> SparkRunner:
    config = SparkConfig(
        name="spark",
        kubeconfig=str(standin.kubeconfig),
        namespace=NAMESPACE,
        default_image="spark:3.5.3",
        claim="atoll-share",
        share="/mnt/atoll",
    )
    return SparkRunner(config, share=DirectoryShare(tmp_path / "share"))


def submit(runner: SparkRunner, **fields: Any) -> tuple[Submission, Known]:
    task = submission_of(spark_spec(FULL, **fields))
    assert runner.submit(task, package_of(task, runner.config, {"main.py": "print(1)"})) == task.name
    return task, known_of(task)


def say(standin: K8sStandIn, name: str, state: str, message: str = "", **more: Any) -> None:
    """Put an operator's words there."""
    found = standin.call("GET", f"{PATH}/{name}")
    told = {"state": state, **({"errorMessage": message} if message else {})}
    found["status"] = {"applicationState": told, "driverInfo": {}, **more}
    standin.call("PUT", f"{PATH}/{name}/status", found)


def test_standin_an_application_is_accepted_by_the_strict_schema(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, _ = submit(runner)
    found = standin.call("GET", f"{PATH}/{task.name}")
    made = application(task, runner.config)
    # Nothing was cut off as unknown.
    assert {key: found["spec"][key] for key in made["spec"]} == made["spec"]
    assert runner.find(task) == task.name


def test_standin_a_field_that_the_schema_does_not_know_is_refused(runner: SparkRunner) -> None:
    made = application(submission_of(spark_spec()), runner.config)
    made["spec"]["executer"] = {"instances": 1}
    with pytest.raises(ClusterRefused, match="executer"):
        Connection(runner.config).create(APPLICATIONS, made)


def test_standin_a_second_submit_finds_the_first(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, _ = submit(runner)
    assert runner.submit(task, package_of(task, runner.config, {"main.py": "print(1)"})) == task.name
    assert len(standin.call("GET", f"{PATH}?labelSelector=atoll/task={task.task_id}")["items"]) == 1


def test_standin_programs_and_an_output_folder_lie_on_the_share(runner: SparkRunner, tmp_path: Path) -> None:
    task, known = submit(runner)
    folder = tmp_path / "share" / "clusters" / "spark" / task.name
    assert (folder / "program" / "main.py").read_text() == "print(1)"
    (folder / "output" / "metrics.json").write_text("{}")
    assert collected(runner, known) == {"output/metrics.json": b"{}"}
    runner.clean(known)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert runner.observe([known]) == []


def test_standin_what_the_operator_says_is_observed(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, known = submit(runner)
    seen = []
    for state, message in (
        ("SUBMITTED", ""),
        ("RUNNING", ""),
        ("FAILED", "driver container failed with ExitCode: 137, Reason: OOMKilled"),
    ):
        say(standin, task.name, state, message)
        seen += [one.state for one in runner.observe([known])]
    assert seen == [TaskState.PENDING, TaskState.RUNNING, TaskState.OUT_OF_MEMORY]


def test_standin_an_application_is_cancelled_twice(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, known = submit(runner)
    runner.cancel(known)
    runner.cancel(known)
    assert runner.find(task) is None
    assert [one.state for one in runner.observe([known])] == [TaskState.CANCELLED]


def test_standin_a_finished_application_is_not_cancelled(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, known = submit(runner)
    say(standin, task.name, "COMPLETED")
    runner.cancel(known)
    assert runner.observe([known])[0].state is TaskState.SUCCEEDED


def test_standin_the_log_is_the_drivers(runner: SparkRunner, standin: K8sStandIn) -> None:
    task, known = submit(runner)
    assert runner.read_log(known, 0, 100).content == b""
    say(standin, task.name, "RUNNING", driverInfo={"podName": _pod_that_prints(standin, "from the driver")})
    part = runner.read_log(known, 5, 3)
    assert part.content == b"the"
    assert runner.read_log(known, 0, 100).size_bytes == len("from the driver\n")
    assert collected(runner, known)["task.log"] == b"from the driver\n"


def _pod_that_prints(standin: K8sStandIn, text: str) -> str:
    """The stand-in has logs of Jobs' pods only; its name."""
    container = {"name": "spark-kubernetes-driver", "image": "i", "command": ["echo", text]}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    standin.call("POST", jobs, {"metadata": {"name": "driver"}, "spec": spec})
    until = time.monotonic() + 30
    while not standin.call("GET", f"{jobs}/driver")["status"].get("succeeded"):
        assert time.monotonic() < until
        time.sleep(0.05)
    pods = standin.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job-name=driver")["items"]
    return str(pods[0]["metadata"]["name"])


def test_a_server_that_is_not_there_is_down(tmp_path: Path) -> None:
    config = SparkConfig(name="spark", endpoint="http://127.0.0.1:9", default_image="spark:3.5.3", timeout_s=2)
    runner = SparkRunner(config)
    with pytest.raises(ClusterDown, match="spark does not answer"):
        runner.observe([known_of(submission_of(spark_spec()))])
    assert runner.info().state == "down"
