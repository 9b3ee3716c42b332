"""What Terraform's options ask of the manifests: components that an overlay takes in."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.settings.redis import RedisSettings
from tests.deployment.kubernetes.manifests import (
    FOREIGN,
    KUBERNETES,
    Json,
    build,
    containers,
    name_of,
    of_kind,
    templates,
    variables,
)
from tests.support.k8s_standin import complaints

ADDRESS = "https://atollstorage.file.core.windows.net/atoll"


@pytest.fixture
def aks_with(tmp_path: Path) -> Callable[[str], list[Json]]:
    """The overlay for AKS with one component more."""

    def made(component: str) -> list[Json]:
        up = os.path.relpath(KUBERNETES, tmp_path.resolve())
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{up}/overlays/aks"],
            "components": [f"{up}/components/{component}"],
        }
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return build(tmp_path)

    return made


@pytest.mark.parametrize("component", ["azure-redis", "azure-share-address"])
def test_the_published_schemas_find_nothing_wrong(
    component: str, aks_with: Callable[[str], list[Json]], tmp_path: Path
) -> None:
    known = [found for found in aks_with(component) if found["apiVersion"] not in FOREIGN]
    assert complaints(known, tmp_path) == []


def test_the_address_of_azures_redis_is_mounted_and_the_pod_gone(
    aks_with: Callable[[str], list[Json]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = aks_with("azure-redis")
    assert [name_of(found) for found in objects if name_of(found).startswith("redis")] == []
    (vault,) = of_kind(objects, "SecretProviderClass")
    entries = yaml.safe_load(vault["spec"]["parameters"]["objects"])["array"]
    assert [yaml.safe_load(entry)["objectName"] for entry in entries] == ["database-url", "admin-key", "redis-url"]
    (settings,) = (found["data"] for found in of_kind(objects, "ConfigMap") if name_of(found).startswith("atoll-set"))
    folder, _, file = settings["REDIS_URL_FILE"].rpartition("/")
    mounted = {
        mount["mountPath"]
        for _, template in templates(objects)
        for mount in containers(template)[0]["volumeMounts"]
        if mount["name"] == "secrets"
    }
    assert mounted == {folder}
    # The pod's Redis, which all pods are told of, does not stand against it.
    (tmp_path / file).write_text("rediss://:x@cache.example:10000/0")
    monkeypatch.setenv("REDIS_URL", settings["REDIS_URL"])
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / file))
    url = RedisSettings().url
    assert url is not None
    assert url.get_secret_value() == "rediss://:x@cache.example:10000/0"


def test_pods_may_reach_azures_redis(aks_with: Callable[[str], list[Json]]) -> None:
    policies = {name_of(found): found["spec"] for found in of_kind(aks_with("azure-redis"), "NetworkPolicy")}
    ports = {port["port"] for rule in policies["services"]["egress"] for port in rule["ports"]}
    assert 10000 in ports


def test_a_share_with_an_address_is_mounted_nowhere(aks_with: Callable[[str], list[Json]]) -> None:
    objects = aks_with("azure-share-address")
    assert of_kind(objects, "PersistentVolume", "PersistentVolumeClaim") == []
    pods = [
        template
        for _, template in templates(objects)
        if template["metadata"]["labels"].get("app.kubernetes.io/name") == "atoll"
    ]
    assert pods
    for template in pods:
        (one,) = containers(template)
        assert variables(one)["FILE_SHARE"] == ADDRESS
        assert "share" not in {mount["name"] for mount in one["volumeMounts"]}
        assert "share" not in {volume["name"] for volume in template["spec"]["volumes"]}
