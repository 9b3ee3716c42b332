"""Trainings as real tasks: a server, its local cluster, and the plugin's own code in a process of the cluster."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.client import Client, Job
from tests.common.submission.training.test_remote import ODD
from tests.support.plugins import write_plugin
from tests.support.problems import assert_invalid
from tests.support.servers import Server, wait_for

POINTS = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7], "trials": 12, "seed": 3}


@pytest.fixture
def serve(start_server: Callable[..., Server], tmp_path: Path) -> Callable[[], Server]:
    """Starts servers over one state folder, as restarts do."""
    plugins = write_plugin(tmp_path / "plugins", "odd", ODD)
    env = {
        "SERVICE_MODEL": "sample,odd",
        "ATOLL_PLUGIN_PATH": str(plugins),
        "ATOLL_STATE": str(tmp_path / "state"),
        "JOB_TICK_S": "0.5",
        "JOB_LEASE_S": "2",
        "JOB_HEARTBEAT_S": "0.5",
        "JOB_STALL_S": "3",
        # What a task of this machine needs of it comes by the task.
        "ATOLL_CLUSTER_LOCAL_ENVIRONMENT": f'{{ATOLL_PLUGIN_PATH = "{plugins}"}}',
    }
    return lambda: start_server(env=env)


def trained(server: Server, body: dict[str, Any], model: str = "sample", **control: Any) -> Job:
    with Client(server.url) as client:
        return client.train(model, body, **control).wait(timeout_s=120)


def test_a_training_on_a_cluster_comes_to_the_same_as_one_here(serve: Callable[[], Server]) -> None:
    server = serve()
    there, here = trained(server, POINTS, cluster="local", memory="1G", time_limit="5m"), trained(server, POINTS)
    assert (there.state, here.state) == ("succeeded", "succeeded")
    found = [server.get(f"/jobs/{job.id}/result").json() for job in (there, here)]
    assert [one.pop("version") for one in found] == [1, 2]
    assert found[0] == found[1]
    trials = [server.get(f"/jobs/{job.id}/trials").json() for job in (there, here)]
    tried = [[(trial["params"], trial["value"]) for trial in some] for some in trials]
    assert tried[0] == tried[1]
    versions = [server.get(f"/registry/sample/versions/{number}").json() for number in (1, 2)]
    assert [version["job_id"] for version in versions] == [there.id, here.id]
    alike = ("artefacts", "metrics", "code_version", "data_hash", "author")
    assert {name: versions[0][name] for name in alike} == {name: versions[1][name] for name in alike}


def test_what_the_plugin_says_there_is_the_jobs(serve: Callable[[], Server]) -> None:
    server = serve()
    refused = trained(server, {"do": "refuse"}, "odd", cluster="local")
    assert (refused.state, refused.error) == ("failed", "too few rows")
    failed = trained(server, {"do": "fail"}, "odd", cluster="local")
    assert failed.state == "failed"
    assert "ZeroDivisionError" in str(failed.error)
    with Client(server.url) as client:
        assert "about to divide" in [line["text"] for line in client.job(failed.id).logs()]


def test_cancelling_stops_the_program_on_the_cluster(serve: Callable[[], Server]) -> None:
    server = serve()
    with Client(server.url) as client:
        job = client.train("odd", {"do": "wait"}, cluster="local")
        wait_for(lambda: job.refresh().message == "waiting", "the program's own words")
        job.cancel().wait(timeout_s=60)
        assert job.state == "cancelled"
        task = wait_for(lambda: _ended(server, job.id), "the end of the task")
        assert task["state"] == "cancelled"


def test_a_server_that_is_killed_goes_on_with_the_same_task(serve: Callable[[], Server], tmp_path: Path) -> None:
    server, gate = serve(), tmp_path / "gate"
    with Client(server.url) as client:
        job = client.train("odd", {"do": "wait", "until": str(gate)}, cluster="local")
        wait_for(lambda: job.refresh().message == "waiting", "the program's own words")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server = serve()
    assert server.get(f"/tasks/{job.id}").json()["state"] == "running"
    with Client(server.url) as client:
        job = client.job(job.id)
        wait_for(lambda: len(job.refresh().data["attempts"]) == 2, "another attempt of the job")
        gate.touch()
        assert job.wait(timeout_s=120).state == "succeeded"
        assert len(client.registry("odd")["versions"]) == 1
    task = server.get(f"/tasks/{job.id}").json()
    assert (task["attempt"], task["restarts"]) == (1, 0)


def test_an_unknown_cluster_is_refused_with_those_there_are(serve: Callable[[], Server]) -> None:
    server = serve()
    answer = server.post("/sample_model/train?cluster=atena02", json=POINTS)
    assert_invalid(answer, "query.cluster")
    assert "those configured are: local" in answer.json()["detail"]
    assert_invalid(
        server.post("/sample_model/train?cluster=local&parallel_trials=2", json=POINTS), "query.parallel_trials"
    )
    assert_invalid(server.post("/sample_model/train?cluster=local&partition=gpu", json=POINTS), "query.partition")
    assert_invalid(server.post("/sample_model/train?cluster=local&memory=much", json=POINTS), "query.memory")
    assert_invalid(server.post("/sample_model/train?memory=2G", json=POINTS), "query.cluster")
    assert server.get("/jobs").json()["jobs"] == []


def _ended(server: Server, task_id: str) -> Any:
    task = server.get(f"/tasks/{task_id}").json()
    return task if task["finished"] else None
