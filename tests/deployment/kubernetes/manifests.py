"""The manifests as `kubectl apply -k` would send them."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.settings import CHECKOUT
from tests.support.backends import missing

KUBERNETES = CHECKOUT / "deployment" / "kubernetes"
OVERLAYS = ("aks", "eks", "istio", "local")
# Kinds whose schemas the lab does not have.
FOREIGN = (
    "networking.istio.io/v1",
    "secrets-store.csi.x-k8s.io/v1",
    "monitoring.coreos.com/v1",
    "azmonitoring.coreos.com/v1",
)

Json = dict[str, Any]


def text_of(folder: Path) -> str:
    """What kustomize makes of a folder."""
    if shutil.which("kubectl") is None:
        missing("kubectl is not installed, which puts the manifests together")
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kubectl(kubeconfig: Path, *words: str) -> str:
    """What it says; it has to succeed."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(kubeconfig), *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def build(folder: Path) -> list[Json]:
    return [found for found in yaml.safe_load_all(text_of(folder)) if found]


@functools.cache
def overlay(name: str) -> list[Json]:
    """The objects of one of the overlays, which no test changes."""
    return build(KUBERNETES / "overlays" / name)


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    return [found for found in objects if found["kind"] in kinds]


def name_of(found: Json) -> str:
    return str(found["metadata"]["name"])


def templates(objects: list[Json]) -> Iterator[tuple[str, Json]]:
    """Every pod template, with the name of what makes pods of it."""
    for found in objects:
        if found["kind"] == "Deployment":
            yield f"Deployment {name_of(found)}", found["spec"]["template"]
        elif found["kind"] == "ScaledJob":
            yield f"ScaledJob {name_of(found)}", found["spec"]["jobTargetRef"]["template"]


def containers(template: Json) -> list[Json]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def variables(container: Json) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
