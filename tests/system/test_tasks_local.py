"""A started server, with nothing configured, runs tasks on its own machine: as the old clients post them, and through
kills of the server."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.submission.states import TaskState
from tests.support.servers import Server, wait_for

SAMPLE = {
    "dataset_name": "wine_classification",
    "model_params": {"n_estimators": 2, "random_state": 42},
    "runner_location": "local",
    "model_tracking": True,
    "tracking_uri": "experiments",
    "experiment_name": "atena_test",
    "script_path": "path/to/script.py",
    "clusters": {"local": {"infra_config": {"instance_type": "cpu", "account": "twinscie"}}},
}
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
RUNS = """\
import os, time
with open(os.environ["RUNS"], "a") as file:
    file.write(os.environ["ATOLL_TASK_ID"] + "\\n")
time.sleep(1)
print("done")
"""


@pytest.fixture
def start(start_server: Callable[..., Server], tmp_path: Path) -> Callable[[], Server]:
    """Starts servers that have one state, as one that is started again."""

    def begin() -> Server:
        env = {"ATOLL_STATE": str(tmp_path / "state"), "SERVICE_MODEL": "sample", "JOB_TICK_S": "1"}
        return start_server("--port", "0", env=env)

    return begin


def post(server: Server, config: dict[str, Any], script: str) -> str:
    answer = server.post(
        "/new_task",
        files=[
            ("files", ("config.json", json.dumps(config), "application/json")),
            ("files", ("script.py", script, "text/x-python")),
        ],
    )
    assert answer.status_code == 202, answer.text
    task_id: str = answer.json()["id"]
    return task_id


def finish(server: Server, task_id: str) -> dict[str, Any]:
    """The task, when it has finished and its files are there."""

    def over() -> dict[str, Any] | None:
        task: dict[str, Any] = server.get(f"/tasks/{task_id}").json()
        is_over = TaskState(task["state"]).is_finished and task["files"] not in ("none", "collecting")
        return task if is_over else None

    return wait_for(over, f"the end of {task_id}")


def is_handed_over(server: Server, task_id: str) -> bool:
    return server.get(f"/tasks/{task_id}").json()["cluster_job_id"] is not None


def write_wine(state: Path) -> None:
    from sklearn.datasets import load_wine

    wine = load_wine()
    lines = [",".join([*wine.feature_names, "target"])]
    lines += [",".join(map(str, [*row, label])) for row, label in zip(wine.data, wine.target, strict=True)]
    folder = state / "share" / "datasets"
    folder.mkdir(parents=True)
    (folder / "wine_classification.csv").write_text("\n".join(lines) + "\n")


def test_the_old_sample_trains_with_scikit_learn_on_this_machine(start: Callable[[], Server], tmp_path: Path) -> None:
    write_wine(tmp_path / "state")
    server = start()
    task = finish(server, post(server, SAMPLE, TRAINS))
    assert (task["state"], task["status"], task["exit_code"]) == ("succeeded", "succeeded", 0)
    assert task["metrics"]["trees"] == 2
    assert task["metrics"]["accuracy"] > 0.8
    assert "trained on 178 rows" in server.get(f"/tasks/{task['id']}/logs").text
    listed = server.get(f"/tasks/{task['id']}/files").json()["files"]
    assert {"output/metrics.json", "task.log"} <= {file["path"] for file in listed}
    assert json.loads(server.get(f"/tasks/{task['id']}/files/output/metrics.json").text) == task["metrics"]


def test_a_task_goes_on_while_the_server_is_killed_and_is_found_again(
    start: Callable[[], Server], tmp_path: Path
) -> None:
    config = {"script_path": "script.py", "environment": {"RUNS": str(tmp_path / "runs")}}
    server = start()
    task_ids = [post(server, config, RUNS) for _ in range(3)]
    wait_for(lambda: all(is_handed_over(server, task_id) for task_id in task_ids), "all to be handed over")
    wait_for(lambda: (tmp_path / "runs").exists(), "the first to begin")
    server.interrupt(signal.SIGKILL)
    server.wait()
    again = start()
    assert [finish(again, task_id)["state"] for task_id in task_ids] == ["succeeded"] * 3
    assert sorted((tmp_path / "runs").read_text().split()) == sorted(task_ids)
