from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.errors import Invalid
from common.submission.runners.kubernetes.checks import check
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.manifest import dumped, job
from common.submission.tracking import folder_of
from tests.common.submission.runners.kubernetes.tasks import spec_of, submission_of
from tests.support.k8s_standin import complaints

CONFIG = KubernetesConfig(name="lab", default_image="python:3.11-slim")
FULL = KubernetesConfig.model_validate(
    {
        "name": "lab",
        "claim": "atoll-share",
        "share": "/mnt/atoll",
        "images": "registry.example.org:5000/atoll",
        "pools": {
            "cpu": {},
            "gpu": {
                "node_selector": {"pool": "gpu"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "priority_class": "batch",
                "labels": {"kueue.x-k8s.io/queue-name": "gpus"},
                "max_time_s": 3600,
            },
        },
        "default_memory": "512Mi",
        "default_cpus": 1,
        "scratch": "10Gi",
        "service_account": "tasks",
        "image_pull_secrets": ["registry"],
        "labels": {"team": "sids"},
        "allowed_images": ["sklearn_*", "python:3.11-slim"],
        "accounts": ["twinscie"],
        "default_time_limit_s": 600,
    }
)
NASTY = "x'; rm -rf / #`id`$(id)$$ \"\\ {{}} ü: - & * ! | > % @"
NASTY_SPECS: list[dict[str, Any]] = [
    {"name": "1 -- . _Title-", "labels": {"a/b@c": NASTY, "x" * 200: "long"}},
    {"environment": {"NASTY": NASTY}, "command": ["sh", "-c", NASTY], "parameters": {"p.q-r": NASTY, "b": True}},
    {"account": "a/strange:account@with+all", "array": "0-9:3%2", "requeue": True, "time_limit_s": 1},
    {"name": "x" * 100, "account": "y" * 255, "memory_bytes": 1 << 50, "cpus": 100_000, "gpus": 10_000},
    {"image": "host.example:5000/a/b_c/d:v1.2-3@sha256:" + "a" * 64, "dataset": "-".join(["d"] * 60)},
]


def _container(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("package", [None, "YWJj"])
def test_manifests_of_nasty_specs_fit_kubernetes_own_schema_strictly(package: str | None, tmp_path: Path) -> None:
    plain = [job(submission_of(spec_of(**fields)), CONFIG, package="YWJj") for fields in NASTY_SPECS]
    full = [job(submission_of(spec_of(**{"image": "a", **fields})), FULL, package=package) for fields in NASTY_SPECS]
    gpu = job(submission_of(spec_of(partition="gpu", gpus=1, image="a")), FULL, package=package)
    assert complaints([*plain, *full, gpu], tmp_path) == []


@pytest.mark.parametrize("fields", NASTY_SPECS)
def test_names_and_labels_are_such_as_kubernetes_takes(fields: dict[str, Any]) -> None:
    import re

    task = submission_of(spec_of(**fields), owner="someone@example.org / ü")
    meta = job(task, CONFIG, package="YWJj")["metadata"]
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", meta["name"])
    for value in meta["labels"].values():
        assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", value)
    assert "example" not in str(meta["labels"])


def test_resources_are_requests_and_limits_alike() -> None:
    spec = spec_of(image="sklearn_sample_latest", memory_bytes=2 << 30, cpus=2, gpus=1, partition="gpu")
    amounts = {"cpu": "2", "memory": str(2 << 30), "nvidia.com/gpu": "1"}
    container = _container(job(submission_of(spec), FULL, package=None))
    assert container["resources"] == {"requests": amounts, "limits": amounts}


def test_a_partition_chooses_nodes_priority_and_queue() -> None:
    made = job(submission_of(spec_of(image="python:3.11-slim", partition="gpu")), FULL, package=None)
    pod = made["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod["priorityClassName"] == "batch"
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"


def test_a_program_is_not_root_has_no_token_and_no_capability() -> None:
    pod = job(submission_of(spec_of()), CONFIG, package="YWJj")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = pod["containers"][0]["securityContext"]
    assert security == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_a_time_limit_is_the_pods_so_that_its_log_stays_and_the_jobs_is_longer() -> None:
    made = job(submission_of(spec_of(time_limit_s=60)), CONFIG, package="YWJj")
    assert made["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 60
    assert made["spec"]["activeDeadlineSeconds"] == 60 + CONFIG.wait_limit_s


def test_a_failed_pod_is_not_repeated_unless_a_node_was_at_fault_and_it_was_asked_for() -> None:
    plain, again = (job(submission_of(spec_of(requeue=asked)), CONFIG, package="YWJj") for asked in (False, True))
    assert plain["spec"]["backoffLimit"] == again["spec"]["backoffLimit"] == 0
    assert "podFailurePolicy" not in plain["spec"]
    (rule,) = again["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "Ignore"
    assert rule["onPodConditions"][0]["type"] == "DisruptionTarget"


def test_an_array_is_an_indexed_job_whose_elements_fail_for_themselves() -> None:
    made = job(submission_of(spec_of(array="0-9:3%2")), CONFIG, package="YWJj")
    spec = made["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 2)
    assert spec["backoffLimitPerIndex"] == 0
    assert {"name": "ATOLL_ARRAY", "value": "0 3 6 9"} in _container(made)["env"]


def test_with_a_share_the_claim_is_mounted_and_nothing_goes_inline() -> None:
    task = submission_of(spec_of(image="python:3.11-slim"))
    made = job(task, FULL, package=None)
    variables = {one["name"]: one["value"] for one in _container(made)["env"]}
    assert variables["ATOLL_TASK_DIR"] == f"/mnt/atoll/clusters/lab/{task.name}"
    assert "ATOLL_PACKAGE" not in variables
    claims = [one for one in made["spec"]["template"]["spec"]["volumes"] if one["name"] == "share"]
    assert claims == [{"name": "share", "persistentVolumeClaim": {"claimName": "atoll-share"}}]


def test_a_pod_sees_no_more_of_the_share_than_its_own_folder_data_sets_and_runs() -> None:
    config = FULL.model_copy(update={"claim_folder": "volumes/atoll"})
    task = submission_of(spec_of(image="a", dataset="wine", tracking={"uri": "experiments", "experiment": "e"}))
    mounts = _container(job(task, config, package=None))["volumeMounts"]
    shared = {
        one["mountPath"]: (one["subPath"], one.get("readOnly", False)) for one in mounts if one["name"] == "share"
    }
    own, runs = f"clusters/lab/{task.name}", folder_of(task.spec.tracking) if task.spec.tracking else ""
    assert shared == {
        f"/mnt/atoll/{own}": (f"volumes/atoll/{own}", False),
        "/mnt/atoll/datasets": ("volumes/atoll/datasets", True),
        f"/mnt/atoll/{runs}": (f"volumes/atoll/{runs}", False),
    }


def test_an_image_without_a_registry_is_of_the_configured_one() -> None:
    images = {"sklearn_sample_latest": "registry.example.org:5000/atoll/sklearn_sample_latest"}
    images["ghcr.io/x/y:1"] = "ghcr.io/x/y:1"
    for asked, full in images.items():
        assert _container(job(submission_of(spec_of(image=asked)), FULL, package=None))["image"] == full


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"partition": "tpu"}, "partition"),
        ({"image": "Not/Lower"}, "image"),
        ({"image": "a//b"}, "image"),
        ({"image": "tensorflow:latest"}, "image"),
        ({"account": "others"}, "account"),
        ({"nodes": 2}, "nodes"),
        ({"modules": ("gcc/12",)}, "modules"),
        ({"array": "3-1"}, "array"),
        ({"time_limit_s": 3601, "partition": "gpu"}, "time_limit"),
    ],
)
def test_what_could_never_run_is_refused_by_the_name_of_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(spec_of(**{"image": "python:3.11-slim", **fields}), FULL)
    assert caught.value.errors[0].field == f"body.{field}"


def test_a_task_without_an_image_is_refused_where_none_is_configured() -> None:
    with pytest.raises(Invalid, match="image"):
        check(spec_of(), KubernetesConfig(name="lab"))


def test_what_fits_is_taken() -> None:
    check(spec_of(image="sklearn_sample_latest", partition="gpu", account="twinscie", time_limit_s=3600), FULL)


def test_a_preview_is_yaml_of_the_whole_manifest() -> None:
    made = job(submission_of(spec_of(labels={"why": NASTY})), CONFIG, package="YWJj")
    assert yaml.safe_load(dumped(made)) == made
