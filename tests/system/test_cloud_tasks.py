"""What an old client posts, on Atoll's own host: on AWS Batch as moto imitates it, and on a stand-in for Azure Machine
Learning with a real blob service."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.azureml_standin import GROUP, SUBSCRIPTION, TOKEN, WORKSPACE, AzureMlStandIn
from tests.support.azurite_blobs import ACCOUNT, CONTAINER, KEY, AzuriteBlobs
from tests.support.moto_batch import BUCKET, QUEUE, REGION, MotoBatch
from tests.support.servers import Server

_PATIENCE_S = 120.0
PROGRAM = """
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
def moto_and_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A host with the clusters `aws` and `azure`."""
    folder = tmp_path_factory.mktemp("clouds")
    (folder / "azure").mkdir()
    moto, blobs = MotoBatch(folder / "moto"), AzuriteBlobs()
    with AzureMlStandIn(folder / "azure") as standin:
        (folder / "clusters.toml").write_text(
            f"""
            [aws]
            kind = "aws-batch"
            region = "{REGION}"
            bucket = "{BUCKET}"
            endpoint = "{moto.url}"
            access_key = "env:PLANTED_KEY"
            secret_key = "env:PLANTED_KEY"
            default_partition = "{QUEUE}"
            python = "{sys.executable}"
            [azure]
            kind = "azure-ml"
            subscription = "{SUBSCRIPTION}"
            resource_group = "{GROUP}"
            workspace = "{WORKSPACE}"
            endpoint = "{standin.url}"
            token = "env:PLANTED_TOKEN"
            storage_account = "{ACCOUNT}"
            storage_key = "env:PLANTED_STORAGE_KEY"
            container = "{CONTAINER}"
            blob_endpoint = "{blobs.url}"
            default_partition = "cpu-cluster"
            python = "{sys.executable}"
            [azure.aliases]
            partition = {{ cpu = "" }}
            image = {{ sklearn_sample_latest = "sklearn:3" }}
            """
        )
        state = folder / "state"
        (state / "share" / "datasets").mkdir(parents=True)
        rows = "\n".join(f"{number},{number * 7 % 5},{number % 2}" for number in range(60))
        (state / "share" / "datasets" / "wine_classification.csv").write_text(f"a,b,kind\n{rows}\n")
        secrets = {"PLANTED_KEY": "testing", "PLANTED_TOKEN": TOKEN, "PLANTED_STORAGE_KEY": KEY}
        server = Server(
            state,
            env={
                "CLUSTERS_FILE": str(folder / "clusters.toml"),
                "SERVICE_MODEL": "sample",
                "JOB_TICK_S": "1",
                **secrets,
            },
        )
        yield server
        server.stop()
    moto.stop()
    blobs.close()


def posted(server: Server, cluster: str) -> str:
    """The sample of an old client."""
    config = {
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
    }
    files = [("files", ("script.py", PROGRAM, "text/x-python")), ("files", ("c.json", json.dumps(config)))]
    response = server.post("/new_task", files=files)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def finished(server: Server, task_id: str) -> dict[str, Any]:
    until = time.monotonic() + _PATIENCE_S
    while True:
        task: dict[str, Any] = server.get(f"/tasks/{task_id}").json()
        if task["files"] in ("complete", "missing"):
            return task
        assert time.monotonic() < until, task
        time.sleep(0.2)


@pytest.mark.parametrize("cluster", ["aws", "azure"])
def test_the_sample_of_an_old_client_succeeds_on_moto_and_the_standin(moto_and_standin: Server, cluster: str) -> None:
    task_id = posted(moto_and_standin, cluster)
    task = finished(moto_and_standin, task_id)
    assert (task["state"], task["status"], task["exit_code"]) == ("succeeded", "succeeded", 0)
    assert task["metrics"]["accuracy"] > 0.5
    assert moto_and_standin.get(f"/tasks/{task_id}/logs").text == "trees 2\natena_test\n"
    files = moto_and_standin.get(f"/tasks/{task_id}/files").json()["files"]
    assert [file["path"] for file in files] == ["output/metrics.json", "task.log"]
    status = moto_and_standin.get(f"/job_status/{task['cluster_job_id']}", params={"cluster": cluster})
    assert status.json() == {"job_status": "COMPLETED", "run_id": None}


def test_the_clusters_on_moto_and_the_standin_are_up_and_show_no_secret(moto_and_standin: Server) -> None:
    response = moto_and_standin.get("/clusters")
    assert {one["name"]: one["state"] for one in response.json()["clusters"]} == {
        "aws": "up",
        "azure": "up",
        "local": "up",
    }
    for text in (response.text, moto_and_standin.log):
        assert TOKEN not in text
        assert KEY not in text
        assert "sig=" not in text
        assert "X-Amz-Signature" not in text
