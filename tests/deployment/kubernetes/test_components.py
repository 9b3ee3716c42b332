"""What an overlay takes only if its line is uncommented: workers that stay, the HPA, the old figures, Prometheus.

The server of `test_the_standin_takes_…` is the stand-in of ../shared/lab, no Kubernetes.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.deployment.kubernetes.manifests import (
    FOREIGN,
    KUBERNETES,
    OVERLAYS,
    Json,
    build,
    containers,
    kubectl,
    name_of,
    of_kind,
    overlay,
    templates,
)
from tests.deployment.kubernetes.test_overlays import CRDS, UNKNOWN_TO_THE_STANDIN
from tests.support.k8s_standin import complaints, k8s_standin
from tests.support.servers import Server

STAYING = {"aks": "workers/azure-queue", "istio": "workers/azure-queue", "eks": "workers/database"}
ADMIN = "0123456789abcdef" * 4
Change = Callable[..., list[Json]]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Builds an overlay of a copy, in which some of its lines are uncommented and others commented out."""

    def made(name: str, *added: str, without: str | None = None) -> list[Json]:
        copy = tmp_path / "kubernetes"
        shutil.copytree(KUBERNETES, copy)
        file = copy / "overlays" / name / "kustomization.yaml"
        text = file.read_text()
        for line in added:
            text, count = re.subn(rf"^  # - ((?:\.\./\.\./)?{line})\b", r"  - \1", text, flags=re.MULTILINE)
            assert count, f"{line} is not in {name}"
        if without is not None:
            text, count = re.subn(rf"^  - (../../{without})$", r"  # - \1", text, flags=re.MULTILINE)
            assert count == 1
        file.write_text(text)
        return build(copy / "overlays" / name)

    return made


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    with k8s_standin() as server:
        server.add_namespace("atoll")
        kubectl(server.kubeconfig, "apply", "-f", str(CRDS))
        yield server.kubeconfig


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_standin_and_the_schemas_take_an_overlay_with_all_that_goes_together(
    name: str, change: Change, kubeconfig: Path, tmp_path: Path
) -> None:
    text = (KUBERNETES / "overlays" / name / "kustomization.yaml").read_text()
    offered = re.findall(r"^  # - (?:\.\./\.\./)?(\S+)", text, re.MULTILINE)
    together = dict.fromkeys(line for line in offered if line != "scalers/hpa")
    assert together
    objects = change(name, *together)
    known = [found for found in objects if found["kind"] not in UNKNOWN_TO_THE_STANDIN]
    file = tmp_path / "overlay.yaml"
    file.write_text(yaml.safe_dump_all(known))
    told = kubectl(kubeconfig, "apply", "--dry-run=server", "--validate=strict", "-f", str(file))
    assert len(re.findall(r"\(server dry run\)", told)) == len(known)
    assert complaints([found for found in objects if found["apiVersion"] not in FOREIGN], tmp_path) == []
    assert "replaced" not in yaml.safe_dump_all(objects)


@pytest.mark.parametrize("name", STAYING)
def test_workers_that_stay_take_the_place_of_the_jobs_for_short_predictions(name: str, change: Change) -> None:
    before, after = overlay(name), change(name, STAYING[name])
    gone = set(map(name_of, of_kind(before, "ScaledJob"))) - set(map(name_of, of_kind(after, "ScaledJob")))
    deployments = {name_of(found): found for found in of_kind(after, "Deployment")}
    scalers = {name_of(found): found["spec"] for found in of_kind(after, "ScaledObject")}
    assert "atoll-prediction-cpu" in gone
    assert all(re.search("-prediction-cpu$", one) for one in gone)
    for one in gone:
        (job,) = [found for found in of_kind(before, "ScaledJob") if name_of(found) == one]
        once = job["spec"]["jobTargetRef"]["template"]["spec"]["containers"][0]
        template = deployments[one]["spec"]["template"]
        stays = template["spec"]["containers"][0]
        # The same image, place and queue; one job at a time, but not just one.
        assert {**once, "command": None, "resources": None} == {**stays, "command": None, "resources": None}
        assert [word for word in once["command"] if word != "--once"] == stays["command"][:-2]
        assert stays["command"][-2:] == ["--concurrency", "1"]
        assert template["spec"].get("restartPolicy", "Always") == "Always"
        assert scalers[one]["scaleTargetRef"]["name"] == one


@pytest.mark.parametrize("name", STAYING)
def test_no_pod_of_another_kind_is_taken_for_a_worker_that_stays(name: str, change: Change) -> None:
    objects = change(name, STAYING[name])
    pods = {what: template["metadata"]["labels"] for what, template in templates(objects)}
    for found in of_kind(objects, "Deployment"):
        wanted = found["spec"]["selector"]["matchLabels"]
        assert [what for what, has in pods.items() if wanted.items() <= has.items()] == [f"Deployment {name_of(found)}"]


def test_pods_of_workers_that_stay_are_counted_with_what_they_handle(change: Change) -> None:
    objects = change("aks", "workers/azure-queue")
    (trigger,) = _scaler(objects, "atoll-prediction-cpu")["triggers"]
    (job,) = [found for found in of_kind(objects, "ScaledJob") if name_of(found) == "atoll-training-cpu"]
    account = job["spec"]["triggers"][0]["metadata"]["accountName"]
    assert trigger["metadata"] == {
        "queueName": "prediction-cpu",
        "queueLength": "1",
        "queueLengthStrategy": "all",
        "accountName": account,
    }
    # Only workers have an account to ask.
    assert "accountName" not in _scaler(objects, "atoll")["triggers"][0]["metadata"]


def test_with_istio_no_worker_has_a_sidecar(change: Change) -> None:
    objects = change("istio", "workers/azure-queue")
    workers = [
        template["metadata"]["labels"]
        for _, template in templates(objects)
        if template["metadata"]["labels"].get("app.kubernetes.io/component") == "worker"
    ]
    assert workers
    assert {labels.get("sidecar.istio.io/inject") for labels in workers} == {"false"}


def test_keda_s_figures_are_those_of_the_simulation() -> None:
    spec = _scaler(overlay("aks"), "atoll")
    (api,) = [found for found in of_kind(overlay("aks"), "Deployment") if name_of(found) == "atoll"]
    (container,) = containers(api["spec"]["template"])
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 10)
    assert spec["triggers"] == [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}]
    assert container["resources"]["requests"]["cpu"] == "900m"


def test_the_old_figures_are_the_old_ones(change: Change) -> None:
    objects = change("aks", "scalers/hpa", "components/old-figures", without="scalers/keda")
    assert of_kind(objects, "ScaledObject") == []
    (scaler,) = of_kind(objects, "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 5)
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    (api,) = [found for found in of_kind(objects, "Deployment") if name_of(found) == "atoll"]
    (container,) = containers(api["spec"]["template"])
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "1", "memory": "2Gi"},
    }


@pytest.mark.parametrize(
    ("name", "line", "group"),
    [
        ("aks", "components/azure-prometheus", "azmonitoring.coreos.com/v1"),
        ("eks", "components/prometheus", "monitoring.coreos.com/v1"),
    ],
)
def test_every_pod_with_metrics_is_scraped_and_no_other(name: str, line: str, group: str, change: Change) -> None:
    objects = change(name, line)
    (monitor,) = of_kind(objects, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert monitor["apiVersion"] == group
    wanted = {rule["key"]: rule["values"] for rule in monitor["spec"]["selector"]["matchExpressions"]}
    for what, template in templates(objects):
        labels, (container,) = template["metadata"]["labels"], template["spec"]["containers"]
        chosen = all(labels.get(key) in values for key, values in wanted.items())
        ports = [port["name"] for port in container.get("ports", [])]
        annotated = "prometheus.io/scrape" in template["metadata"].get("annotations", {})
        serves = container.get("command") == ["python", "-m", "common.host"]
        assert chosen == annotated == serves, what
        assert not chosen or endpoint["port"] in ports, what


@pytest.mark.parametrize("roles", ["http", "timers"])
def test_metrics_need_a_key_and_one_that_may_only_predict_is_enough(
    roles: str, change: Change, start_server: Callable[..., Server]
) -> None:
    (monitor,) = of_kind(change("eks", "components/prometheus"), "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    closed = {"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": ADMIN}
    api = start_server(env=closed, ready=False)
    made = api.post("/keys", json={"name": "prometheus", "scopes": ["predict"]}, headers=_bearer(ADMIN))
    assert made.status_code == 201, made.text
    database = {"DATABASE_URL": f"sqlite:///{api.log_file.parent / 'atoll.db'}"}
    asked = start_server(env={**closed, **database, "ATOLL_ROLES": roles}, ready=False)
    refused: httpx.Response = asked.get(endpoint["path"])
    answer = asked.get(endpoint["path"], headers=_bearer(made.json()["key"], endpoint["authorization"]["type"]))
    assert refused.status_code == 401
    assert answer.status_code == 200, answer.text
    assert "atoll_" in answer.text


def _bearer(key: str, kind: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{kind} {key}"}


def _scaler(objects: list[Json], name: str) -> Json:
    (found,) = [one["spec"] for one in of_kind(objects, "ScaledObject") if name_of(one) == name]
    return dict(found)
