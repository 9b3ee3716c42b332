"""An API server in trouble: faults are answered by a proxy before the stand-in for Kubernetes."""

import sys
import time
from collections.abc import Iterator

import pytest

from common.submission.errors import ClusterDown
from common.submission.records import Submission
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.runner import KubernetesRunner
from common.submission.states import TaskState
from tests.common.submission.runners.kubernetes.conftest import NAMESPACE
from tests.common.submission.runners.kubernetes.tasks import (
    collected,
    known_of,
    package_of,
    spec_of,
    submission_of,
    wait,
)
from tests.support.k8s_standin import TOKEN, Fault, FaultProxy, K8sStandIn

JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


@pytest.fixture
def proxy(standin: K8sStandIn) -> Iterator[FaultProxy]:
    with FaultProxy(standin) as proxy:
        yield proxy


@pytest.fixture
def runner(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesRunner]:
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    config = KubernetesConfig(
        name="lab",
        endpoint=proxy.endpoint,
        api_key="env:LAB_TOKEN",
        namespace=NAMESPACE,
        default_image="python:3.11-slim",
        python=sys.executable,
        timeout_s=2,
    )
    runner = KubernetesRunner(config)
    yield runner
    runner.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", JOBS, 429, "TooManyRequests", "slow down", {"Retry-After": "30"}),
        Fault("POST", JOBS, 500, "InternalError", "etcd: leader changed"),
        Fault("POST", JOBS, 503, "ServiceUnavailable", "not now"),
        Fault("POST", JOBS, 409, "Conflict", "the object has been modified"),
        Fault("POST", JOBS, None),
        Fault("POST", JOBS, 200, hang_s=4),
    ],
    ids=lambda fault: f"{fault.status}-{fault.hang_s}",
)
def test_standin_a_submit_that_fails_is_down_and_works_the_next_time(
    runner: KubernetesRunner, proxy: FaultProxy, fault: Fault
) -> None:
    task = submission_of(spec_of(command=("true",)))
    package = package_of(task, runner.config, {"main.py": ""})
    proxy.faults = [Fault(**{**vars(fault), "times": 1})]
    with pytest.raises(ClusterDown) as caught:
        runner.submit(task, package)
    assert caught.value.headers.get("Retry-After") == fault.headers.get("Retry-After")
    # Neither waited for nor repeated: the kernel decides when to try again.
    assert len([call for call in proxy.calls if call.startswith("POST")]) == 1
    assert runner.find(task) is None
    assert runner.submit(task, package) == task.name
    assert wait(runner, known_of(task)).state is TaskState.SUCCEEDED


@pytest.mark.parametrize("status", [None, 500, 504])
def test_standin_a_submit_whose_answer_is_lost_makes_no_twin(
    standin: K8sStandIn, runner: KubernetesRunner, proxy: FaultProxy, status: int | None
) -> None:
    task = submission_of(spec_of(command=("true",)))
    package = package_of(task, runner.config, {"main.py": ""})
    proxy.faults = [Fault("POST", JOBS, status, forwarded=True)]
    with pytest.raises(ClusterDown):
        runner.submit(task, package)
    assert runner.find(task) == task.name
    assert runner.submit(task, package) == task.name
    assert len(standin.call("GET", f"{JOBS}?labelSelector=atoll/task={task.task_id}")["items"]) == 1
    wait(runner, known_of(task))


@pytest.mark.parametrize("status", [None, 401, 403, 429, 500])
def test_standin_a_question_without_an_answer_is_down_and_loses_no_state(
    runner: KubernetesRunner, proxy: FaultProxy, status: int | None
) -> None:
    task = submission_of(spec_of(command=("true",)))
    runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    wait(runner, known_of(task))
    proxy.faults = [Fault("GET", JOBS, status, "Reason", "words")]
    with pytest.raises(ClusterDown):
        runner.observe([known_of(task)])
    assert runner.observe([known_of(task)])[0].state is TaskState.SUCCEEDED


def test_standin_a_list_whose_pages_have_expired_is_begun_anew(
    runner: KubernetesRunner, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.submission.runners.kubernetes.connection._PAGE", 1)
    tasks = [submission_of(spec_of(command=("true",))) for _ in range(3)]
    for task in tasks:
        runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
        wait(runner, known_of(task))
    proxy.faults = [Fault("GET", "continue=2", 410, "Expired", "the provided continue parameter is too old")]
    assert len(runner.observe([known_of(task) for task in tasks])) == 3


def test_standin_a_cancel_whose_answer_is_lost_may_be_repeated(runner: KubernetesRunner, proxy: FaultProxy) -> None:
    task = submission_of(spec_of(command=("sleep", "60")))
    runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    proxy.faults = [Fault("DELETE", JOBS, None, forwarded=True)]
    with pytest.raises(ClusterDown):
        runner.cancel(known_of(task))
    runner.cancel(known_of(task))
    assert runner.find(task) is None


def test_standin_what_a_cancelled_program_had_written_is_kept(runner: KubernetesRunner, proxy: FaultProxy) -> None:
    task = submission_of(spec_of(command=("sleep", "60")))
    runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    _until_its_pod_is_there(runner, task)
    # The stand-in tells no log before the end.
    proxy.faults = [Fault("GET", "/log", 200, text=b"as far as it came\n")]
    runner.cancel(known_of(task))
    assert runner.read_log(known_of(task), 3, 3).content == b"far"
    assert collected(runner, known_of(task)) == {"task.log": b"as far as it came\n"}


def test_standin_a_log_that_cannot_be_read_keeps_nothing_from_being_cancelled(
    runner: KubernetesRunner, proxy: FaultProxy
) -> None:
    task = submission_of(spec_of(command=("sleep", "60")))
    runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
    _until_its_pod_is_there(runner, task)
    proxy.faults = [Fault("GET", "/log", 500)]
    runner.cancel(known_of(task))
    assert runner.find(task) is None


def test_standin_one_call_tells_all_that_ended_before(runner: KubernetesRunner, proxy: FaultProxy) -> None:
    tasks = [submission_of(spec_of(command=("true",))) for _ in range(3)]
    for task in tasks:
        runner.submit(task, package_of(task, runner.config, {"main.py": ""}))
        wait(runner, known_of(task))
    proxy.calls.clear()
    assert len(runner.observe([known_of(task) for task in tasks])) == 3
    assert [call.split("?")[0] for call in proxy.calls] == [f"GET {JOBS}"]


def test_a_server_that_is_not_there_is_down_for_every_question(standin: K8sStandIn) -> None:
    config = KubernetesConfig(
        name="lab", endpoint="http://127.0.0.1:9", namespace=NAMESPACE, default_image="python:3.11", timeout_s=2
    )
    runner = KubernetesRunner(config)
    task = submission_of(spec_of())
    known = known_of(task)
    for ask in (
        lambda: runner.find(task),
        lambda: runner.submit(task, package_of(task, config, {"main.py": ""})),
        lambda: runner.observe([known]),
        lambda: runner.cancel(known),
        lambda: runner.read_log(known, 0, 10),
        lambda: list(runner.collect(known)),
        lambda: runner.clean(known),
    ):
        with pytest.raises(ClusterDown, match="lab does not answer"):
            ask()
    assert runner.info().state == "down"


def _until_its_pod_is_there(runner: KubernetesRunner, task: Submission) -> None:
    until = time.monotonic() + 30
    while runner.observe([known_of(task)])[0].state is not TaskState.RUNNING:
        assert time.monotonic() < until
        time.sleep(0.05)
