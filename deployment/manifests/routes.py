"""Which path leads to which service: an Ingress for nginx, or a VirtualService for Istio."""

from collections.abc import Mapping, Sequence

from deployment.manifests.models import Model
from deployment.manifests.pods import PORT, Json
from deployment.manifests.spec import DEFAULT, Service

# Longer than Azure's 230 s, after which its balancer gives up.
_LONGEST_S = 240
_INGRESS = "nginx.ingress.kubernetes.io"


def owners(services: Sequence[Service], models: Mapping[str, Model]) -> list[tuple[str, str]]:
    """Path and service, for all paths of all models; a model without a service of its own is the default one's."""
    serving = {model: service.name for service in services for model in service.models}
    return [(path, serving.get(name, DEFAULT)) for name, model in sorted(models.items()) for path in model.paths]


def ingress(services: Sequence[Service], models: Mapping[str, Model]) -> Json:
    """An Ingress with a path for each that a model answers under, and everything else to the default service."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "atoll",
            "annotations": {
                # Parts of uploads; Atoll itself says what is too large.
                f"{_INGRESS}/proxy-body-size": "100m",
                f"{_INGRESS}/proxy-request-buffering": "off",
                f"{_INGRESS}/proxy-read-timeout": str(_LONGEST_S),
                f"{_INGRESS}/proxy-send-timeout": str(_LONGEST_S),
                # Another pod answers where one cannot be reached; what was sent once is sent no second time.
                f"{_INGRESS}/proxy-next-upstream": "error timeout",
            },
        },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {"http": {"paths": [_path(*owner) for owner in [*owners(services, models), ("/", DEFAULT)]]}},
            ],
        },
    }


def virtual_service(services: Sequence[Service], models: Mapping[str, Model]) -> Json:
    """A VirtualService that sends the paths of models with a service of their own there, the rest to the default."""
    routes = []
    for service in services:
        paths = [path for path, owner in owners(services, models) if owner == service.name != DEFAULT]
        # A prefix alone would take /laboratory for /lab.
        matches = [{"uri": match} for path in paths for match in ({"exact": path}, {"prefix": f"{path}/"})]
        if matches:
            routes.append({"name": service.name, "match": matches, **_destination(service.name)})
    routes.append({"name": DEFAULT, **_destination(DEFAULT)})
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "atoll"},
        "spec": {"hosts": ["*"], "gateways": ["atoll"], "http": routes},
    }


def _path(path: str, service: str) -> Json:
    backend = {"service": {"name": service, "port": {"number": PORT}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}


def _destination(service: str) -> Json:
    retries = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}
    return {
        "route": [{"destination": {"host": service, "port": {"number": PORT}}}],
        "timeout": f"{_LONGEST_S}s",
        "retries": retries,
    }
