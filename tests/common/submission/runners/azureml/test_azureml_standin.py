"""Azure Machine Learning as a stand-in plays it, with files in a real blob service (Azurite)."""

import sys
from pathlib import Path
from typing import Any

import pytest

from common.errors import Invalid
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.azureml.runner import AzureMlRunner
from common.submission.states import TaskState
from tests.common.submission.runners.tasks import files, finish, known, log, package, run, submission, submit, wait_for
from tests.support.azureml_standin import PAGE, TOKEN, AzureMlStandIn

PROGRAM = """
import json, os, sys
print("parameters", json.load(open(os.environ["ATOLL_PARAMS"])))
folder = os.environ["ATOLL_OUTPUT_DIR"]
json.dump({"accuracy": 0.5}, open(f"{folder}/metrics.json", "w"))
os.symlink("/etc/passwd", f"{folder}/link")
assert "ATOLL_MANIFEST" not in os.environ
"""


def test_a_task_runs_on_the_standin_and_its_log_and_files_come_back(runner: AzureMlRunner) -> None:
    task, seen = run(runner, PROGRAM, parameters={"n_estimators": 2})
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.SUCCEEDED, 0, None)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert "parameters {'n_estimators': 2}" in log(runner, task)
    assert runner.read_log(task, 3, 4).content == b"amet"
    found = files(runner, task)
    assert sorted(found) == ["output/metrics.json", "task.log"]
    runner.clean(task)
    runner.clean(task)
    assert files(runner, task) == {}


def test_a_failing_task_tells_its_exit_code_through_the_standin(runner: AzureMlRunner) -> None:
    task, seen = run(runner, "import sys; sys.exit('no data')")
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.FAILED, 1, "ExitCode")
    assert "no data" in log(runner, task)


def test_a_task_over_its_time_is_timed_out_on_the_standin(runner: AzureMlRunner) -> None:
    _, seen = run(runner, "import time\nprint('waiting')\ntime.sleep(600)", time_limit_s=1)
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.TIMED_OUT, 124, "TimeLimit")


def test_a_running_task_is_cancelled_on_the_standin_and_its_log_is_kept(runner: AzureMlRunner) -> None:
    task = submit(runner, "import time\nprint('waiting', flush=True)\ntime.sleep(600)")
    wait_for(runner, task, lambda seen: seen.state is TaskState.RUNNING)
    runner.cancel(task)
    runner.cancel(task)
    assert finish(runner, task).state is TaskState.CANCELLED
    runner.cancel(task)
    assert set(files(runner, task)) <= {"task.log"}


def test_a_task_that_waits_is_pending_on_the_standin_and_never_starts_once_cancelled(
    runner: AzureMlRunner, standin: AzureMlStandIn
) -> None:
    standin.hold = True
    task = submit(runner, PROGRAM)
    [seen] = runner.observe([task])
    assert (seen.state, seen.reason) == (TaskState.PENDING, "Queued")
    runner.cancel(task)
    assert finish(runner, task).state is TaskState.CANCELLED
    assert log(runner, task) == ""


def test_submitting_twice_makes_one_job_on_the_standin(runner: AzureMlRunner, standin: AzureMlStandIn) -> None:
    task = submission(runner)
    assert runner.find(task) is None
    first = runner.submit(task, package(runner, task, PROGRAM))
    assert runner.submit(task, package(runner, task, PROGRAM)) == first == task.name
    assert runner.find(task) == first
    assert list(standin.jobs) == [task.name]
    finish(runner, known(task))


def test_a_submission_that_was_carried_out_too_late_is_found(config: AzureMlConfig, standin: AzureMlStandIn) -> None:
    impatient = AzureMlRunner(config.model_copy(update={"timeout_s": 0.5}))
    standin.executed_but_late.add("PUT jobs")
    task = submission(impatient)
    with pytest.raises(ClusterDown, match="does not answer at making the job: ReadTimeout"):
        impatient.submit(task, package(impatient, task, PROGRAM))
    standin.executed_but_late.clear()
    assert impatient.find(task) == task.name
    assert finish(impatient, known(task)).state is TaskState.SUCCEEDED
    impatient.close()


def test_many_tasks_are_seen_in_one_list_of_the_standin(runner: AzureMlRunner, standin: AzureMlStandIn) -> None:
    standin.hold = True
    tasks = [submit(runner, PROGRAM) for _ in range(PAGE + 2)]
    standin.calls.clear()
    assert len(runner.observe(tasks)) == len(tasks)
    # The list's two pages.
    assert standin.calls == ["GET jobs"] * 2
    for task in tasks:
        runner.cancel(task)
    gone = known(submission(runner))
    assert runner.observe([gone]) == []


def test_an_image_becomes_an_environment_of_the_standin_once(runner: AzureMlRunner, standin: AzureMlStandIn) -> None:
    standin.hold = True
    for _ in range(2):
        runner.cancel(submit(runner, PROGRAM, image="mcr.microsoft.com/azureml/minimal:1"))
    assert standin.calls.count("PUT environments") == 1
    [made] = [one for name, one in standin.environments.items() if name.startswith("atoll-")]
    assert made["properties"]["image"] == "mcr.microsoft.com/azureml/minimal:1"


def test_the_standin_tells_computes_and_an_unknown_one_is_refused(runner: AzureMlRunner) -> None:
    runner.check(submission(runner, partition="nowhere").spec)
    info = runner.info()
    assert (info.state, [(one.name, one.is_default, one.nodes) for one in info.partitions]) == (
        "up",
        [("cpu-cluster", True, 4), ("gpu-cluster", False, 4)],
    )
    with pytest.raises(Invalid, match="partition: is no compute of this cluster; there are cpu-cluster, gpu-cluster"):
        runner.check(submission(runner, partition="nowhere").spec)


def test_what_the_standin_refuses_is_refused_with_its_words(runner: AzureMlRunner) -> None:
    task = submission(runner, image="missing:1")
    with pytest.raises(ClusterRefused, match="Azure refuses making the job: UserError: The environment was not found"):
        runner.submit(task, package(runner, task, PROGRAM))


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (429, "TooManyRequests", ClusterDown, "busy"),
        (500, "InternalServerError", ClusterDown, "busy"),
        (503, "ServiceUnavailable", ClusterDown, "busy"),
        (401, "ExpiredAuthenticationToken", ClusterDown, "renew them"),
        (403, "AuthorizationFailed", ClusterRefused, "AuthorizationFailed"),
        (409, "Conflict", ClusterRefused, "Conflict"),
    ],
)
def test_answers_of_the_standin_to_a_submission_are_told_apart(
    runner: AzureMlRunner, standin: AzureMlStandIn, status: int, code: str, error: type[Exception], said: str
) -> None:
    standin.refuse["PUT jobs"] = (status, code)
    task = submission(runner)
    with pytest.raises(error, match=said):
        runner.submit(task, package(runner, task, PROGRAM))


def test_looking_at_tasks_is_never_refused_by_the_standin(runner: AzureMlRunner, standin: AzureMlStandIn) -> None:
    standin.refuse["GET jobs"] = (403, "AuthorizationFailed")
    with pytest.raises(ClusterDown, match="AuthorizationFailed"):
        runner.observe([known(submission(runner))])
    standin.refuse["GET computes"] = (403, "AuthorizationFailed")
    assert runner.info().state == "down"


def test_a_renewed_token_is_read_by_itself(runner: AzureMlRunner, token: Path) -> None:
    token.write_text("expired")
    with pytest.raises(ClusterDown, match="InvalidAuthenticationToken") as down:
        runner.find(submission(runner))
    assert "expired" not in down.value.detail.replace("ExpiredAuth", "")
    token.write_text(TOKEN)
    assert runner.find(submission(runner)) is None


def test_a_missing_secret_is_named_and_not_shown(runner: AzureMlRunner, token: Path) -> None:
    token.unlink()
    assert runner.info().state == "down"
    with pytest.raises(ClusterDown, match=r"a secret of this cluster is missing: the file .*token cannot be read"):
        runner.find(submission(runner))


def test_a_service_that_does_not_answer_is_down(config: AzureMlConfig, standin: AzureMlStandIn) -> None:
    nowhere = AzureMlRunner(config.model_copy(update={"endpoint": "http://127.0.0.1:1"}))
    with pytest.raises(ClusterDown, match="does not answer at listing jobs: ConnectError"):
        nowhere.observe([known(submission(nowhere))])
    nowhere.close()


def test_a_wrong_key_of_the_storage_account_is_told_without_what_was_signed(
    config: AzureMlConfig, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("d3Jvbmc=")
    wrong = AzureMlRunner(config.model_copy(update={"storage_key": f"file:{tmp_path / 'wrong'}"}))
    info = wrong.info()
    assert (info.state, "AuthenticationFailed" in info.detail or "AuthorizationFailure" in info.detail) == (
        "down",
        True,
    )
    assert "sig=" not in info.detail
    wrong.close()


def test_a_preview_shows_what_the_standin_is_sent_but_no_signature(runner: AzureMlRunner) -> None:
    shown = runner.preview(submission(runner))
    assert "<signed address>" in shown
    assert "sig=" not in shown
    assert '"jobType": "Command"' in shown


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cpus": 2}, "cpus: a compute has machines of one size"),
        ({"nodes": 2}, "nodes: a task has one node"),
        ({"array": "0-3"}, "array: there are none"),
        ({"modules": ["gcc"]}, "modules: containers have none"),
        ({"image": "sklearn"}, "image: names no version"),
        ({"time_limit_s": 90 * 86_400}, "time_limit: is at most"),
    ],
)
def test_what_azure_could_not_run_is_refused_before_it_is_asked(
    runner: AzureMlRunner, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        runner.check(submission(runner, **fields).spec)


def test_a_cluster_without_a_token_says_what_to_install(config: AzureMlConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    without = AzureMlRunner(config.model_copy(update={"token": None}))
    with pytest.raises(ClusterDown, match="azure-identity is not installed; install it, or set token"):
        without.find(submission(without))
    without.close()
