"""What an old client posts, and what may become of tasks, with the real Slurm of the lab: by SSH and by REST."""

import json
import sys
import sysconfig
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import Server
from tests.support.slurm_lab import SlurmLab, slurm_lab

_PATIENCE_S = 180.0
CLUSTERS = ["atena02", "atena02-rest"]
# The nodes' own Python, with the packages that the tests run with.
PYTHON = "/usr/bin/python3"
TRAINS = """
import csv, json, os
from sklearn.ensemble import RandomForestClassifier

rows = list(csv.reader(open(os.environ["ATOLL_DATASET"])))[1:]
X, y = [row[:-1] for row in rows], [row[-1] for row in rows]
model = RandomForestClassifier(**json.load(open(os.environ["ATOLL_PARAMS"]))).fit(X, y)
print("trees", len(model.estimators_))
print(os.environ["MLFLOW_EXPERIMENT_NAME"])
json.dump({"accuracy": model.score(X, y)}, open(os.environ["ATOLL_OUTPUT_DIR"] + "/metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found, found.shared():
        yield found


@pytest.fixture(scope="module")
def server(lab: SlurmLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A host with one cluster, reached in both ways."""
    folder = tmp_path_factory.mktemp("slurm")
    ssh, rest = lab.ssh_section(name="atena02"), lab.settings
    (folder / "clusters.toml").write_text(
        f"""
        [atena02]
        kind = "slurm-ssh"
        host = "{ssh["host"]}"
        port = {ssh["port"]}
        user = "{ssh["user"]}"
        key = "{ssh["key"]}"
        known_hosts = "{ssh["known_hosts"]}"
        folder = "{lab.folder}"
        default_partition = "debug"
        python = "{PYTHON}"
        environment = {{ PYTHONPATH = "{sysconfig.get_paths()["purelib"]}" }}
        aliases = {{ partition = {{ cpu = "debug" }}, account = {{ twinscie = "labacct" }}, \
image = {{ sklearn_sample_latest = "" }} }}

        [atena02-rest]
        kind = "slurm-rest"
        url = "{rest["REST_URL"]}"
        user = "{rest["REST_USER"]}"
        token = "file:{rest["JWT_FILE"]}"
        folder = "{lab.folder}"
        default_partition = "debug"
        python = "{PYTHON}"
        environment = {{ PYTHONPATH = "{sysconfig.get_paths()["purelib"]}" }}
        aliases = {{ partition = {{ cpu = "debug" }}, account = {{ twinscie = "labacct" }}, \
image = {{ sklearn_sample_latest = "" }} }}
        """
    )
    state = folder / "state"
    (state / "share" / "datasets").mkdir(parents=True)
    rows = "\n".join(f"{number},{number * 7 % 5},{number % 2}" for number in range(60))
    (state / "share" / "datasets" / "wine_classification.csv").write_text(f"a,b,kind\n{rows}\n")
    found = Server(
        state, env={"CLUSTERS_FILE": str(folder / "clusters.toml"), "SERVICE_MODEL": "sample", "JOB_TICK_S": "1"}
    )
    yield found
    found.stop()


def post(server: Server, path: str, config: dict[str, Any], program: str, name: str = "script.py") -> str:
    files = [("files", (name, program, "text/plain")), ("files", ("c.json", json.dumps(config), "application/json"))]
    response = server.post(path, files=files)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def submit(server: Server, cluster: str, program: str, **config: Any) -> str:
    return post(server, "/tasks", {"name": "lab", "cluster": cluster, **config}, program, "main.sh")


def wait_for(server: Server, task_id: str, **values: Any) -> dict[str, Any]:
    """The task, as soon as it has these values."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        task: dict[str, Any] = server.get(f"/tasks/{task_id}").json()
        if all(task[name] == value for name, value in values.items()):
            return task
        assert time.monotonic() < until, task
        time.sleep(0.2)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_sample_of_an_old_client_succeeds_with_log_metrics_and_files(server: Server, cluster: str) -> None:
    if sysconfig.get_config_var("py_version_short") != "3.11" or not sys.platform.startswith("linux"):
        pytest.skip("the packages of these tests are not of the nodes' Python, 3.11")
    task_id = post(
        server,
        "/new_task",
        {
            "dataset_name": "wine_classification",
            "model_params": {"n_estimators": 2, "random_state": 42},
            "runner_location": cluster,
            "model_tracking": True,
            "tracking_uri": "experiments",
            "experiment_name": "atena_test",
            "script_path": "path/to/script.py",
            "clusters": {
                cluster: {
                    "infra_config": {
                        "instance_type": "cpu",
                        "image_name": "sklearn_sample_latest",
                        "account": "twinscie",
                    }
                }
            },
        },
        TRAINS,
    )

    task = wait_for(server, task_id, files="complete")

    log = server.get(f"/tasks/{task_id}/logs").text
    assert (task["state"], task["status"], task["exit_code"]) == ("succeeded", "succeeded", 0), log
    assert task["metrics"]["accuracy"] > 0.5
    assert task["nodes"]
    assert log == "trees 2\natena_test\n"
    files = server.get(f"/tasks/{task_id}/files").json()["files"]
    assert [file["path"] for file in files] == ["output/metrics.json", "task.log"]
    status = server.get(f"/job_status/{task['cluster_job_id']}", params={"cluster": cluster})
    assert status.json()["job_status"] == "COMPLETED"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_task_that_is_cancelled_is_shown_as_such(server: Server, cluster: str) -> None:
    task_id = submit(server, cluster, "echo begun; sleep 600")
    wait_for(server, task_id, state="running")

    assert server.client.delete(f"/tasks/{task_id}").status_code in (200, 202)

    assert wait_for(server, task_id, files="complete")["state"] == "cancelled"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_task_over_its_memory_is_shown_as_such(server: Server, cluster: str) -> None:
    program = "python3 -c 'bytes(400_000_000).replace(bytes(1), b\"x\")'"

    task_id = submit(server, cluster, program, memory="100M")

    assert wait_for(server, task_id, files="complete")["state"] == "out-of-memory"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_an_array_is_shown_with_its_elements(server: Server, cluster: str) -> None:
    task_id = submit(server, cluster, "echo $ATOLL_ARRAY_INDEX; exit $ATOLL_ARRAY_INDEX", array="0-2:2")

    task = wait_for(server, task_id, files="complete")

    assert task["state"] == "failed"
    assert [(one["index"], one["state"], one["exit_code"]) for one in task["elements"]] == [
        (0, "succeeded", 0),
        (2, "failed", 2),
    ]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_task_begins_after_the_one_that_it_depends_on(server: Server, cluster: str) -> None:
    first = submit(server, cluster, "sleep 2")

    second = submit(server, cluster, "true", dependencies=[first])

    done = [wait_for(server, task_id, files="complete") for task_id in (first, second)]
    assert [task["state"] for task in done] == ["succeeded", "succeeded"]
    assert done[0]["finished"] <= done[1]["started"]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_an_unknown_partition_is_refused_with_those_that_are_there(server: Server, cluster: str) -> None:
    config = {"name": "lab", "cluster": cluster, "partition": "gpu"}
    files = [("files", ("main.sh", "true", "text/plain")), ("files", ("c.json", json.dumps(config)))]

    response = server.post("/tasks", files=files)

    assert response.status_code == 422
    assert "debug, short" in response.json()["detail"]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_cluster_is_shown_with_its_partitions(server: Server, cluster: str) -> None:
    shown = {one["name"]: one for one in server.get("/clusters").json()["clusters"]}[cluster]

    assert shown["state"] == "up"
    assert [one["name"] for one in shown["partitions"]] == ["debug", "short"]
