"""The overlays: what kustomize makes of them, judged by published schemas and by what Atoll itself says.

The server of `test_the_standin_takes_…` is the stand-in of ../shared/lab, no Kubernetes. Fields of Istio's kinds and
of the Secrets Store driver's are those in `crds/`, a part of the real ones.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.jobs.queues import queue_name
from common.jobs.states import Kind
from common.settings import AREAS
from common.settings.secrets import FILE_SUFFIX, is_secret
from deployment.manifests import find_models
from tests.deployment.kubernetes.manifests import (
    FOREIGN,
    KUBERNETES,
    OVERLAYS,
    containers,
    kubectl,
    name_of,
    of_kind,
    overlay,
    templates,
    text_of,
    variables,
)
from tests.support.k8s_standin import complaints, k8s_standin

CRDS = Path(__file__).with_name("crds")
# Their published schemas are looked at all the same.
UNKNOWN_TO_THE_STANDIN = ("PersistentVolume", "StorageClass")


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    with k8s_standin() as server:
        server.add_namespace("atoll")
        kubectl(server.kubeconfig, "apply", "-f", str(CRDS))
        yield server.kubeconfig


def test_the_published_schemas_find_nothing_wrong(tmp_path: Path) -> None:
    known = [found for name in OVERLAYS for found in overlay(name) if found["apiVersion"] not in FOREIGN]
    assert complaints(known, tmp_path) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_standin_takes_an_overlay_in_a_server_side_dry_run(name: str, kubeconfig: Path, tmp_path: Path) -> None:
    known = [found for found in overlay(name) if found["kind"] not in UNKNOWN_TO_THE_STANDIN]
    file = tmp_path / "overlay.yaml"
    file.write_text(yaml.safe_dump_all(known))
    told = kubectl(kubeconfig, "apply", "--dry-run=server", "--validate=strict", "-f", str(file))
    assert len(re.findall(r"\(server dry run\)", told)) == len(known)


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_is_left_to_be_replaced(name: str) -> None:
    assert re.findall(r".*(?:\breplaced\b|REGISTRY).*", text_of(KUBERNETES / "overlays" / name)) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_stands_in_a_manifest(name: str) -> None:
    objects = overlay(name)
    given = [
        entry for _, template in templates(objects) for one in containers(template) for entry in variables(one).items()
    ]
    given += [entry for found in of_kind(objects, "ConfigMap") for entry in found["data"].items()]
    # Paths of files, and addresses without a password, are none.
    told = [key for key, value in given if "@" in value or (is_secret(key) and not _is_place(value))]
    assert of_kind(objects, "Secret") == []
    assert told == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_of_the_pods_are_settings_that_atoll_has(name: str) -> None:
    known = {str(field.validation_alias) for area in AREAS for field in area.model_fields.values()}
    known |= {alias + FILE_SUFFIX for alias in known if is_secret(alias)} | {"HOME"}
    objects = overlay(name)
    given = {key for found in of_kind(objects, "ConfigMap") for key in found["data"]}
    for what, template in templates(objects):
        if "redis" not in what and "postgresql" not in what:
            given |= {key for one in containers(template) for key in variables(one)}
    assert sorted(given - known) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_restricted(name: str) -> None:
    wrong = []
    for what, template in templates(overlay(name)):
        pod = template["spec"]
        security = pod["securityContext"]
        if not security["runAsNonRoot"] or security["runAsUser"] == 0 or pod.get("hostNetwork"):
            wrong.append(f"{what} may run as root")
        if security["seccompProfile"] != {"type": "RuntimeDefault"} or pod["automountServiceAccountToken"]:
            wrong.append(f"{what} has no seccomp profile, or a token")
        wrong += [
            f"{what}: {one['name']} may change its image or gain rights"
            for one in containers(template)
            if one["securityContext"]
            != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        ]
        wrong += [
            f"{what}: {one['name']} has no {kind} of {amount}"
            for one in containers(template)
            for kind in ("requests", "limits")
            for amount in ("cpu", "memory")
            if amount not in one["resources"][kind]
        ]
    assert wrong == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_whatever_is_named_is_there(name: str) -> None:
    objects = overlay(name)
    there = {(found["kind"], name_of(found)) for found in objects}
    lost = []
    for what, template in templates(objects):
        pod = template["spec"]
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and ("PersistentVolumeClaim", claim) not in there:
                lost.append(f"{what}: claim {claim}")
        for one in containers(template):
            mounted = {mount["name"] for mount in one.get("volumeMounts", [])}
            lost += [f"{what}: volume {gone}" for gone in mounted - {volume["name"] for volume in pod["volumes"]}]
            maps = [source["configMapRef"]["name"] for source in one.get("envFrom", [])]
            lost += [f"{what}: ConfigMap {given}" for given in maps if ("ConfigMap", given) not in there]
    for found in of_kind(objects, "ScaledObject", "HorizontalPodAutoscaler"):
        target = found["spec"]["scaleTargetRef"]["name"]
        lost += [] if ("Deployment", target) in there else [f"{found['kind']} {name_of(found)}: {target}"]
    for found in of_kind(objects, "ScaledJob"):
        used = {trigger["authenticationRef"]["name"] for trigger in found["spec"]["triggers"]}
        lost += [f"{name_of(found)}: {given}" for given in used if ("TriggerAuthentication", given) not in there]
    assert lost == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_and_budgets_select_the_pods_of_one_deployment(name: str) -> None:
    objects = overlay(name)
    pods = {what: template["metadata"]["labels"] for what, template in templates(objects)}
    wrong = []
    for found in of_kind(objects, "Service", "PodDisruptionBudget"):
        selector = found["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        chosen = [what for what, labels in pods.items() if wanted.items() <= labels.items()]
        if len(chosen) != 1 or not chosen[0].startswith("Deployment"):
            wrong.append((found["kind"], name_of(found), chosen))
    assert wrong == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_api_deployment_is_scaled_by_one_scaler_and_has_a_budget(name: str) -> None:
    objects = overlay(name)
    apis = sorted(
        name_of(found)
        for found in of_kind(objects, "Deployment")
        if found["metadata"]["labels"]["app.kubernetes.io/component"] == "api"
    )
    scaled = [
        found["spec"]["scaleTargetRef"]["name"] for found in of_kind(objects, "ScaledObject", "HorizontalPodAutoscaler")
    ]
    assert sorted(scaled) == apis
    assert sorted(map(name_of, of_kind(objects, "PodDisruptionBudget"))) == apis


@pytest.mark.parametrize("name", OVERLAYS)
def test_probes_ask_for_life_to_start_anew_and_for_readiness_to_send_requests(name: str) -> None:
    asked = {}
    for what, template in templates(overlay(name)):
        one = template["spec"]["containers"][0]
        if template["metadata"]["labels"].get("app.kubernetes.io/component") == "api":
            kinds = ("startupProbe", "readinessProbe", "livenessProbe")
            asked[what] = [one[kind]["httpGet"]["path"] for kind in kinds]
    assert asked
    assert set(map(tuple, asked.values())) == {("/health/live", "/health/ready", "/health/live")}


def test_every_queue_that_the_default_service_sends_to_has_workers() -> None:
    models = find_models().values()
    wanted = {queue_name(Kind.PREDICTION, model.worker) for model in models}
    wanted |= {queue_name(Kind.TRAINING, model.worker) for model in models if model.is_trained}
    wanted |= {queue_name(Kind.SUBMISSION, "cpu")}
    jobs = of_kind(overlay("aks"), "ScaledJob")
    assert {found["spec"]["triggers"][0]["metadata"]["queueName"] for found in jobs} == wanted


@pytest.mark.parametrize("name", ["aks", "istio"])
def test_workers_take_one_job_of_the_queue_that_they_are_counted_by(name: str) -> None:
    for found in of_kind(overlay(name), "ScaledJob"):
        metadata = found["spec"]["triggers"][0]["metadata"]
        one = found["spec"]["jobTargetRef"]["template"]["spec"]["containers"][0]
        queue = metadata["queueName"]
        assert one["command"] == ["python", "-m", "common.jobs", "worker", "--once", "--queue", queue]
        assert queue.split("-")[1] == variables(one)["JOB_WORKERS"]
        assert metadata["queueLengthStrategy"] == "visibleonly"
        assert found["spec"]["scalingStrategy"] == {"strategy": "accurate"}
        assert found["spec"]["jobTargetRef"]["backoffLimit"] == 0


@pytest.mark.parametrize("name", ["eks", "local"])
def test_without_a_storage_account_the_database_is_asked_for_the_same_queues(name: str) -> None:
    for found in of_kind(overlay(name), "ScaledJob"):
        (trigger,) = found["spec"]["triggers"]
        one = found["spec"]["jobTargetRef"]["template"]["spec"]["containers"][0]
        assert trigger["type"] == "postgresql"
        assert f"queue = '{one['command'][-1]}' " in trigger["metadata"]["query"]


@pytest.mark.parametrize("name", ["aks", "istio"])
def test_pods_that_log_in_to_azure_carry_the_label_of_workload_identity(name: str) -> None:
    bare = [
        what
        for what, template in templates(overlay(name))
        if template["metadata"]["labels"]["app.kubernetes.io/name"] == "atoll"
        and template["metadata"]["labels"].get("azure.workload.identity/use") != "true"
    ]
    assert bare == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_is_not_named_in_a_network_policy_is_denied(name: str) -> None:
    policies = of_kind(overlay(name), "NetworkPolicy")
    denied = [found for found in policies if found["spec"]["podSelector"] == {} and "ingress" not in found["spec"]]
    assert any(
        sorted(found["spec"]["policyTypes"]) == ["Egress", "Ingress"] and "egress" not in found["spec"]
        for found in denied
    )


@pytest.mark.parametrize("name", OVERLAYS)
def test_redis_answers_under_the_name_and_port_that_the_settings_have(name: str) -> None:
    objects = overlay(name)
    (redis,) = [found for found in of_kind(objects, "Service") if name_of(found) == "redis-service"]
    (settings,) = of_kind(objects, "ConfigMap")
    assert settings["data"]["REDIS_URL"] == f"redis://redis-service:{redis['spec']['ports'][0]['port']}/0"


def test_with_istio_the_api_waits_for_redis() -> None:
    waiting = {
        what: [one["name"] for one in template["spec"].get("initContainers", [])]
        for what, template in templates(overlay("istio"))
        if template["metadata"]["labels"].get("app.kubernetes.io/component") == "api"
    }
    assert sorted(waiting) == [
        "Deployment atoll",
        "Deployment lab-prediction-service",
        "Deployment project-prediction-service",
    ]
    assert all(names == ["verify-redis-dns", "verify-redis-ready"] for names in waiting.values())


def _is_place(value: str) -> bool:
    return value.startswith(("/", "redis://redis-service", "https://")) or value == ""
