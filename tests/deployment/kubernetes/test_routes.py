"""Paths and services: what the ingress says, and what Atoll's models answer under."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deployment.manifests import Model, Root, Service, find_models
from deployment.manifests.routes import owners
from tests.deployment.kubernetes.manifests import KUBERNETES, OVERLAYS, Json, of_kind, overlay
from tests.support.plugins import make_app

MODELS = {
    "housing": Model("housing", ("/housing", "/lab")),
    "sentiment": Model("sentiment", ("/sentiment", "/project"), "train", is_trained=True),
}


def paths_of(found: Json) -> dict[str, str]:
    (rule,) = found["spec"]["rules"]
    return {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}


@pytest.mark.parametrize("name", [name for name in OVERLAYS if name != "istio"])
def test_the_ingress_has_each_prefix_of_each_model_and_the_default_for_the_rest(name: str) -> None:
    (found,) = of_kind(overlay(name), "Ingress")
    wanted = {path for model in find_models().values() for path in model.paths}
    assert set(paths_of(found)) == wanted | {"/"}
    assert paths_of(found)["/"] == "atoll"


def test_every_old_prefix_that_the_app_answers_under_is_in_the_ingress(tmp_path: Path) -> None:
    app = make_app(tmp_path, serve=tuple(find_models()))
    prefixes = {old.path for record in app.state.runtime.records for old in record.plugin.prefixes}
    (found,) = of_kind(overlay("aks"), "Ingress")
    # nginx merges doubled slashes before it looks.
    assert {re.sub("/+", "/", prefix) for prefix in prefixes} <= set(paths_of(found))


def test_a_path_leads_to_the_service_that_its_model_has_and_else_to_the_default_one() -> None:
    services = [Service("atoll"), Service("lab-prediction-service", ("housing",))]
    assert owners(services, MODELS) == [
        ("/housing", "lab-prediction-service"),
        ("/lab", "lab-prediction-service"),
        ("/sentiment", "atoll"),
        ("/project", "atoll"),
    ]


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/lab/predict", "lab-prediction-service"),
        ("/lab", "lab-prediction-service"),
        ("/housing/predict", "lab-prediction-service"),
        ("/project/predict", "project-prediction-service"),
        ("/laboratory", "atoll"),
        ("/jobs", "atoll"),
        ("/", "atoll"),
    ],
)
def test_with_istio_the_first_match_of_a_path_is_its_service(path: str, service: str) -> None:
    (found,) = of_kind(overlay("istio"), "VirtualService")
    assert _routed(found, path) == (service, 8000)


def test_with_istio_there_is_no_ingress() -> None:
    assert of_kind(overlay("istio"), "Ingress") == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_service_that_paths_lead_to_is_there_at_that_port(name: str) -> None:
    objects = overlay(name)
    there = {
        (found["metadata"]["name"], port["port"])
        for found in of_kind(objects, "Service")
        for port in found["spec"]["ports"]
    }
    wanted = {(service, 8000) for found in of_kind(objects, "Ingress") for service in paths_of(found).values()}
    for found in of_kind(objects, "VirtualService"):
        wanted |= {_target(route) for route in found["spec"]["http"]}
    assert wanted
    assert wanted <= there


@pytest.mark.parametrize("folder", [KUBERNETES, KUBERNETES / "overlays" / "istio"], ids=lambda path: path.name)
def test_the_files_are_what_the_list_of_services_makes(folder: Path, tmp_path: Path) -> None:
    root = Root.at(folder)
    again = Root(tmp_path, root.routing)
    for changed in again.write(root.services(), find_models()):
        assert (folder / changed).read_text() == (tmp_path / changed).read_text(), (
            "run python -m deployment.service_gen --sync"
        )


def _routed(found: Json, path: str) -> tuple[str, int]:
    """As Istio reads it: the first route with a match, or with none to make."""
    asked = urlsplit(path).path
    for route in found["spec"]["http"]:
        uris = [match["uri"] for match in route.get("match", [])]
        if not uris or any(asked == uri.get("exact") or asked.startswith(uri.get("prefix", "\0")) for uri in uris):
            return _target(route)
    raise AssertionError(f"{path} leads nowhere")


def _target(route: Json) -> tuple[str, int]:
    (chosen,) = route["route"]
    return chosen["destination"]["host"], chosen["destination"]["port"]["number"]
