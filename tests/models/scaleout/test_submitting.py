"""Old submissions: what becomes a SparkApplication, and what the submitter is told.

The cluster is the stand-in for Kubernetes, which checks applications by the CRD's schema and runs none of them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from models.scaleout.decide import Plan
from models.scaleout.old_submission import OldSubmission
from models.scaleout.submitting import listener_properties
from tests.common.submission.runners.kubernetes.conftest import NAMESPACE, standin
from tests.models.scaleout.payloads import submission
from tests.support.clients import Client
from tests.support.k8s_standin import K8sStandIn, complaints
from tests.support.plugins import make_app
from tests.support.servers import Server

__all__ = ["standin"]
SUBMIT = "/submission/submit"
APPLICATIONS = f"/apis/sparkoperator.k8s.io/v1beta2/namespaces/{NAMESPACE}/sparkapplications"
TEMPLATE = {"image": "spark-jobs:1", "main_application_file": "local:///opt/jobs/gbt.py", "spark_conf": {"spark.x": 1}}


def site(standin: K8sStandIn, namespace: str = NAMESPACE) -> dict[str, str]:
    told = {"KIND": "spark", "KUBECONFIG": str(standin.kubeconfig), "NAMESPACE": namespace, "DEFAULT_IMAGE": "spark:3"}
    return {"SERVICE_MODEL": "scaleout", **{f"ATOLL_CLUSTER_SPARK_{name}": value for name, value in told.items()}}


def test_standin_a_submission_begins_with_a_safe_scale_out_and_becomes_an_application(
    standin: K8sStandIn, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env=site(standin))
    answer = server.client.post(SUBMIT, json=submission(), timeout=60)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"db_entry", "template_code", "k8s_api_response"}
    entry = told["db_entry"]
    # Nothing is known of such runs.
    assert (entry["start_scale_out"], entry["target_s"], entry["context"]["algorithm"]) == (36, 600.0, "gbt")
    assert complaints([yaml.safe_load(told["template_code"][0])], tmp_path) == []
    made = standin.call("GET", f"{APPLICATIONS}/{told['k8s_api_response']['name']}")["spec"]
    assert made["executor"]["instances"] == 36
    assert (made["executor"]["cores"], made["executor"]["memory"]) == (2, "10240m")
    assert (made["driver"]["cores"], made["driver"]["memory"]) == (2, "4096m")
    assert (made["sparkVersion"], made["mainApplicationFile"]) == ("3.5.1", "local:///opt/jobs/gbt.py")
    assert made["arguments"] == ["--iterations", "10", "5"]
    overheads = [made["sparkConf"][f"spark.{part}.memoryOverhead"] for part in ("driver", "executor")]
    assert overheads == ["1024m", "2048m"]
    listener = "spark.customExtraListener."
    conf = {name.removeprefix(listener): value for name, value in made["sparkConf"].items() if listener in name}
    assert conf == {
        "applicationExecutionId": entry["_id"],
        "initialExecutors": "36",
        "isAdaptive": "true",
        "maxExecutors": "36",
        "maxRuntime": "600.0",
        "method": "enel",
        "minExecutors": "4",
        "port": "7071",
        "restTimeout": "60.0",
        "service": "atoll",
    }
    known = server.client.get(f"/scaleout/applications/{entry['_id']}").json()
    assert known["application"]["max_scale_out"] == 36
    assert known["plan"]["scale_out"] == 36


def test_standin_a_cluster_that_refuses_is_quoted(standin: K8sStandIn, start_server: Callable[..., Server]) -> None:
    server = start_server(env=site(standin, "no-such-namespace"))
    answer = server.client.post(SUBMIT, json=submission(), timeout=60)
    assert answer.status_code == 424, answer.text
    told = answer.json()
    assert told["detail"].startswith("spark refused the application: ")
    assert "no-such-namespace" in told["detail"]
    assert told["k8s_api_response"]["state"] == "failed"
    assert told["db_entry"]["_id"]


def test_standin_with_an_idempotency_key_the_same_submission_is_the_same_run(
    standin: K8sStandIn, start_server: Callable[..., Server]
) -> None:
    server = start_server(env=site(standin))

    def submit(key: str | None, **specs: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return server.client.post(SUBMIT, json=submission(max_scale_out=9, **specs), headers=headers, timeout=60)

    def runs() -> set[str]:
        return {run["execution_id"] for run in server.get("/scaleout/applications").json()["applications"]}

    first, again, without, twice = submit("once"), submit("once"), submit(None), submit(None)
    told = [answer.json()["db_entry"] for answer in (first, again, without, twice)]
    assert told[0] == told[1]
    ids = {entry["_id"] for entry in told}
    assert (len(ids), len({entry["task_id"] for entry in told})) == (3, 3)
    assert runs() == ids
    other = submit("once", max_runtime=1)
    assert (other.status_code, "another key" in other.text) == (422, True)
    assert runs() == ids


def test_without_a_cluster_of_spark_it_is_said_what_to_configure(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path / "state", serve=("scaleout",)))
    answer = client.post(SUBMIT, json=submission())
    assert answer.status_code == 422
    assert "ATOLL_CLUSTER_SPARK_KIND=spark" in answer.json()["detail"]
    assert client.get("/scaleout/applications").json()["applications"] == []


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    # Nothing of it is asked before a submission is accepted.
    (tmp_path / "config").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("ATOLL_CLUSTER_SPARK_KIND", "spark")
    monkeypatch.setenv("ATOLL_CLUSTER_SPARK_KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ATOLL_CLUSTER_SPARK_DEFAULT_IMAGE", "spark:3")
    return Client(make_app(tmp_path / "state", serve=("scaleout",)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"global_specs": {"min_scale_out": 9, "max_scale_out": 3}}, "swap them"),
        ({"global_specs": {"max_runtime": -5}}, "greater than 0"),
        ({"global_specs": {"data_size_MB": -5}}, "greater than or equal to 0"),
        ({"global_specs": {"solution_name": "guess"}}, "'enel' or 'ellis'"),
        ({"global_specs": {"system_name": "flink"}}, "only spark applications"),
        ({"global_specs": {"algorithm_name": None}}, "Field required"),
        ({"worker_specs": {"memory": "much"}}, "send e.g. 10240m"),
        ({"spark_template_values": {"cluster": "moon"}}, "those of kind spark that are configured are: spark"),
        ({"spark_template_values": {"main_application_file": None}}, "scaleout/templates/v1.json"),
        ({"spark_template_values": {"main_application_file": "/opt/x.py"}}, "application_file"),
    ],
)
def test_a_submission_that_cannot_be_is_refused_in_the_old_shape_and_not_recorded(
    client: Client, change: dict[str, Any], said: str
) -> None:
    body = submission()
    for part, values in change.items():
        body[part] |= values
    answer = client.post(SUBMIT, json=body)
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])
    assert said in json.dumps(answer.json())
    assert client.get("/scaleout/applications").json()["applications"] == []


def test_what_a_submission_leaves_out_comes_from_its_template_on_the_share(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.scaleout.submitting import _with_template

    body = submission()
    del body["spark_template_values"]["main_application_file"]
    tasks = client.app.state.runtime.tasks  # type: ignore[attr-defined]
    tasks.blobs.share.write("scaleout/templates/v1.json", [json.dumps(TEMPLATE).encode()])
    values = _with_template(OldSubmission.model_validate(body), tasks)
    assert (values.image, values.main_application_file) == ("spark-jobs:1", "local:///opt/jobs/gbt.py")
    assert (values.release_name, values.scale_out_tuner.config.port) == ("gbt-1", 7071)


def test_the_listener_is_told_all_of_its_config_and_which_run_it_is_of() -> None:
    body = submission()
    body["spark_template_values"]["scale_out_tuner"]["config"]["log_level"] = "INFO"
    told = listener_properties(OldSubmission.model_validate(body), Plan(7, None, None, "", ""), "the-run")
    assert told["application_execution_id"] == "the-run"
    assert (told["method"], told["log_level"], told["service"], told["port"]) == ("enel", "INFO", "atoll", 7071)
    assert (told["initial_executors"], told["min_executors"], told["max_executors"]) == (7, 4, 36)
