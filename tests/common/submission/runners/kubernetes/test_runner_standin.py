"""The runner against the stand-in for Kubernetes, which runs Jobs as processes of this machine and ignores images."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from common.storage.directory import DirectoryShare
from common.submission.entry_points import Program
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.runner import KubernetesRunner
from common.submission.states import TaskState
from common.submission.task_config import build_spec, read_config
from tests.common.submission.runners.kubernetes.conftest import NAMESPACE
from tests.common.submission.runners.kubernetes.tasks import (
    collected,
    known_of,
    package_of,
    run,
    spec_of,
    submission_of,
    wait,
)
from tests.support.k8s_standin import TOKEN, K8sStandIn

WRITES = """\
import json, os
parameters = json.load(open(os.environ["ATOLL_PARAMS"]))
print("answer", parameters["n"] * 14)
with open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "metrics.json"), "w") as file:
    json.dump({"n": parameters["n"]}, file)
"""
TRAINS = """\
import csv, json, os
from sklearn.ensemble import RandomForestClassifier
parameters = json.load(open(os.environ["ATOLL_PARAMS"]))
with open(os.environ["ATOLL_DATASET"]) as file:
    rows = list(csv.reader(file))[1:]
X, y = [[float(value) for value in row[:-1]] for row in rows], [row[-1] for row in rows]
model = RandomForestClassifier(**parameters).fit(X, y)
print("trained on", len(rows), "rows")
with open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "metrics.json"), "w") as file:
    json.dump({"accuracy": model.score(X, y), "trees": len(model.estimators_)}, file)
"""


def runner_of(standin: K8sStandIn, **fields: Any) -> KubernetesRunner:
    given = {"name": "lab", "kubeconfig": str(standin.kubeconfig), "namespace": NAMESPACE, "timeout_s": 10}
    config = {**given, "default_image": "python:3.11-slim", "python": sys.executable, **fields}
    return KubernetesRunner(KubernetesConfig.model_validate(config))


@pytest.fixture
def runner(standin: K8sStandIn) -> KubernetesRunner:
    return runner_of(standin)


@pytest.fixture
def sharing(standin: K8sStandIn, tmp_path: Path) -> KubernetesRunner:
    """Pods of the stand-in see the share where Atoll does: they are processes of this machine."""
    config = runner_of(standin, claim="atoll-share", share=str(tmp_path / "share")).config
    return KubernetesRunner(config, share=DirectoryShare(tmp_path / "share"))


def jobs(standin: K8sStandIn, task_id: str) -> list[dict[str, Any]]:
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?labelSelector=atoll/task={task_id}"
    found: list[dict[str, Any]] = standin.call("GET", path)["items"]
    return found


def test_standin_a_program_runs_and_its_log_and_outputs_come_back(runner: KubernetesRunner) -> None:
    known, seen = run(runner, spec_of(parameters={"n": 3}), {"main.py": WRITES})
    assert (seen.state, seen.exit_code) == (TaskState.SUCCEEDED, 0)
    assert runner.read_log(known, 0, 1000).content == b"answer 42\n"
    files = collected(runner, known)
    assert files == {"task.log": b"answer 42\n", "output/metrics.json": b'{"n": 3}'}


def test_standin_with_a_share_files_and_log_lie_there(sharing: KubernetesRunner, tmp_path: Path) -> None:
    known, seen = run(sharing, spec_of(parameters={"n": 3}), {"main.py": WRITES})
    assert seen.state is TaskState.SUCCEEDED
    folder = tmp_path / "share" / "clusters" / "lab" / known.name
    assert (folder / "task.log").read_bytes() == b"answer 42\n"
    assert collected(sharing, known) == {"task.log": b"answer 42\n", "output/metrics.json": b'{"n": 3}'}
    part = sharing.read_log(known, 3, 4)
    assert (part.content, part.size_bytes) == (b"wer ", 10)
    sharing.clean(known)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_standin_the_log_of_a_cancelled_task_stays_on_the_share(sharing: KubernetesRunner, tmp_path: Path) -> None:
    task = submission_of(spec_of())
    program = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"
    sharing.submit(task, package_of(task, sharing.config, {"main.py": program}))
    known = known_of(task)
    _until(lambda: sharing.read_log(known, 0, 100).content == b"begun\n")
    sharing.cancel(known)
    assert sharing.read_log(known, 0, 100).content == b"begun\n"


def test_standin_the_old_sample_config_trains_with_scikit_learn_as_a_job(
    standin: K8sStandIn, runner: KubernetesRunner
) -> None:
    from sklearn.datasets import load_wine

    wine = load_wine()
    lines = [",".join([*wine.feature_names, "target"])]
    lines += [",".join(map(str, [*row, label])) for row, label in zip(wine.data, wine.target, strict=True)]
    infra = {"instance_type": "cpu", "image_name": "sklearn_sample_latest", "account": "twinscie"}
    config = {
        "dataset_name": "wine_classification",
        "model_params": {"n_estimators": 2, "random_state": 42},
        "runner_location": "atena02",
        "model_tracking": True,
        "tracking_uri": "experiments",
        "experiment_name": "atena_test",
        "script_path": "path/to/script.py",
        "clusters": {"atena02": {"infra_config": infra}},
    }
    atena = runner_of(standin, name="atena02")
    spec = build_spec(read_config(config), Program("script.py"))
    files = {spec.entry_point: TRAINS, "datasets/wine_classification.csv": "\n".join(lines)}
    known, seen = run(atena, spec, files)
    assert seen.state is TaskState.SUCCEEDED, atena.read_log(known, 0, 10_000).content
    (made,) = jobs(standin, known.task_id)
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "sklearn_sample_latest"
    assert made["metadata"]["labels"]["atoll/account"] == "twinscie"
    files_left = collected(atena, known)
    assert files_left["task.log"] == b"trained on 178 rows\n"
    metrics = json.loads(files_left["output/metrics.json"])
    assert metrics["trees"] == 2
    assert metrics["accuracy"] > 0.9


def test_standin_a_second_submit_of_a_name_finds_the_first(standin: K8sStandIn, runner: KubernetesRunner) -> None:
    task = submission_of(spec_of(parameters={"n": 1}))
    assert runner.find(task) is None
    package = package_of(task, runner.config, {"main.py": WRITES})
    assert {runner.submit(task, package) for _ in range(3)} == {task.name} == {runner.find(task)}
    assert len(jobs(standin, task.task_id)) == 1
    wait(runner, known_of(task))


def test_standin_a_job_of_that_name_that_is_not_atolls_is_left_alone(
    standin: K8sStandIn, runner: KubernetesRunner
) -> None:
    task = submission_of(spec_of())
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": ["true"]}]}
    body = {"metadata": {"name": task.name}, "spec": {"template": {"spec": pod}}}
    standin.call("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", body)
    assert runner.find(task) is None
    with pytest.raises(ClusterRefused, match="not made for this task"):
        runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    runner.cancel(known_of(task))
    runner.clean(known_of(task))
    assert standin.call("GET", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{task.name}")["metadata"]


def test_standin_a_program_that_fails_tells_its_exit_code_and_log(runner: KubernetesRunner) -> None:
    known, seen = run(runner, spec_of(), {"main.py": "import sys\nprint('oh no')\nsys.exit(7)\n"})
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.FAILED, 7, "Error")
    assert runner.read_log(known, 0, 100).content == b"oh no\n"


def test_standin_a_task_past_its_time_is_timed_out(standin: K8sStandIn) -> None:
    # The stand-in knows the Job's time limit only, not the pod's.
    hasty = runner_of(standin, wait_limit_s=0)
    _, seen = run(hasty, spec_of(time_limit_s=1), {"main.py": "import time\ntime.sleep(60)\n"})
    assert (seen.state, seen.reason) == (TaskState.TIMED_OUT, "DeadlineExceeded")


def test_standin_a_cancelled_task_stops_and_may_be_cancelled_again(runner: KubernetesRunner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(4)\nopen({str(mark)!r} + '2', 'w').close()\n"
    task = submission_of(spec_of())
    runner.submit(task, package_of(task, runner.config, {"main.py": program}))
    _until(mark.exists)
    known = known_of(task)
    runner.cancel(known)
    runner.cancel(known)
    assert [one.state for one in runner.observe([known])] == [TaskState.CANCELLED]
    time.sleep(4.5)
    assert not Path(f"{mark}2").exists()


def test_standin_a_finished_task_is_not_cancelled(runner: KubernetesRunner) -> None:
    known, _ = run(runner, spec_of(parameters={"n": 1}), {"main.py": WRITES})
    runner.cancel(known)
    assert runner.observe([known])[0].state is TaskState.SUCCEEDED


def test_standin_what_was_cleaned_is_not_known_any_more(runner: KubernetesRunner) -> None:
    known, _ = run(runner, spec_of(parameters={"n": 1}), {"main.py": WRITES})
    runner.clean(known)
    runner.clean(known)
    assert runner.observe([known]) == []
    assert runner.read_log(known, 0, 100).content == b""
    assert collected(runner, known) == {}


def test_standin_two_clusters_of_one_namespace_see_only_their_own(
    standin: K8sStandIn, runner: KubernetesRunner
) -> None:
    known, _ = run(runner, spec_of(parameters={"n": 1}), {"main.py": WRITES})
    assert runner_of(standin, name="other").observe([known]) == []


def test_standin_many_tasks_are_observed_over_several_pages(runner: KubernetesRunner, monkeypatch: Any) -> None:
    monkeypatch.setattr("common.submission.runners.kubernetes.connection._PAGE", 2)
    tasks = [submission_of(spec_of(command=("true",))) for _ in range(5)]
    for task in tasks:
        runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    for task in tasks:
        wait(runner, known_of(task))
    seen = runner.observe([known_of(task) for task in tasks])
    assert {one.name for one in seen} == {task.name for task in tasks}
    assert {one.state for one in seen} == {TaskState.SUCCEEDED}


def test_standin_a_suspended_job_waits_and_says_so(standin: K8sStandIn, runner: KubernetesRunner) -> None:
    task = submission_of(spec_of())
    labels = {"app.kubernetes.io/managed-by": "atoll", "atoll/cluster": "lab", "atoll/task": task.task_id}
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": ["true"]}]}
    body = {"metadata": {"name": task.name, "labels": labels}, "spec": {"suspend": True, "template": {"spec": pod}}}
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    made = standin.call("POST", path, body)
    made["status"] = {"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]}
    standin.call("PUT", f"{path}/{task.name}/status", made)
    (seen,) = runner.observe([known_of(task)])
    assert (seen.state, seen.reason) == (TaskState.PENDING, "Suspended")


def test_standin_files_that_do_not_fit_into_a_job_are_refused_before_anything_is_made(
    standin: K8sStandIn, runner: KubernetesRunner
) -> None:
    import os

    task = submission_of(spec_of())
    with pytest.raises(ClusterRefused, match="claim and share"):
        runner.submit(task, package_of(task, runner.config, {"main.py": "", "data": os.urandom(200_000)}))
    assert jobs(standin, task.task_id) == []


def test_standin_a_namespace_that_is_not_there_is_told(standin: K8sStandIn) -> None:
    lost = runner_of(standin, namespace="nowhere")
    task = submission_of(spec_of())
    with pytest.raises(ClusterRefused, match='namespaces "nowhere" not found'):
        lost.submit(task, package_of(task, lost.config, {"main.py": ""}))


def test_standin_a_wrong_token_is_told_and_fails_no_task(standin: K8sStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = _by_token(standin)
    task = submission_of(spec_of())
    monkeypatch.setenv("LAB_TOKEN", "wrong")
    with pytest.raises(ClusterDown, match="token"):
        wrong.submit(task, package_of(task, wrong.config, {"main.py": ""}))
    assert wrong.info().state == "down"


def test_standin_a_renewed_token_is_used_at_once(standin: K8sStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = _by_token(standin)
    monkeypatch.setenv("LAB_TOKEN", "expired")
    assert renewed.info().state == "down"
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    assert renewed.info().state == "up"


def test_standin_a_token_that_is_not_there_is_told_by_the_name_of_its_variable(standin: K8sStandIn) -> None:
    info = _by_token(standin).info()
    assert info.state == "down"
    assert "LAB_TOKEN is not set" in info.detail


def test_standin_a_server_of_another_authority_is_not_trusted(
    standin: K8sStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    info = runner_of(standin, kubeconfig=None, endpoint=standin.endpoint, api_key="env:LAB_TOKEN").info()
    assert info.state == "down"
    assert "certificate" in info.detail.lower()


def test_standin_a_cluster_tells_its_version_and_partitions(standin: K8sStandIn) -> None:
    info = runner_of(standin, pools={"cpu": {}, "gpu": {"max_time_s": 60}}, default_partition="cpu").info()
    assert (info.state, info.version) == ("up", "v1.32.0-lab")
    assert [(one.name, one.is_default, one.max_time_s) for one in info.partitions] == [
        ("cpu", True, None),
        ("gpu", False, 60),
    ]


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = KubernetesConfig(name="lab", kubeconfig=str(tmp_path / "none"), default_image="python:3.11")
    info = KubernetesRunner(config).info()
    assert info.state == "down"
    assert str(tmp_path / "none") in info.detail


def test_a_task_for_spark_is_refused_by_a_cluster_of_jobs(runner: KubernetesRunner) -> None:
    from common.errors import Invalid

    with pytest.raises(Invalid, match="spark"):
        runner.check(spec_of(spark={}))


def _by_token(standin: K8sStandIn) -> KubernetesRunner:
    place = {"endpoint": standin.endpoint, "ca_file": str(standin.ca_file), "api_key": "env:LAB_TOKEN"}
    return runner_of(standin, kubeconfig=None, **place)


def _until(happened: Any) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)
