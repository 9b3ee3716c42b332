"""How the API server is reached: an endpoint and a token, a kubeconfig, or the service account of Atoll's own pod."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.submission.config import read_token
from common.submission.errors import ClusterDown
from common.submission.runners.kubernetes.config import KubernetesBase

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def client_of(config: KubernetesBase) -> "tuple[ApiClient, str | None]":
    """The client, and the namespace that the context or the pod is in."""
    import kubernetes.config as loader
    import urllib3
    from kubernetes import client

    made = client.Configuration()
    namespace: str | None = None
    if config.endpoint is not None:
        made.host = config.endpoint
        made.ssl_ca_cert = config.ca_file
        if config.api_key is not None:
            _use_token(made, config.api_key, config.api_key_prefix)
    else:
        try:
            namespace = _from_files(config, made, loader)
        except loader.ConfigException as exc:
            place = config.kubeconfig or "KUBECONFIG or ~/.kube/config"
            raise ClusterDown(f"{config.name} cannot be reached as configured, by {place}: {exc}") from exc
    made.retries = urllib3.Retry(1, read=0, redirect=0, status=0, respect_retry_after_header=False)
    return client.ApiClient(made), namespace


def _from_files(config: KubernetesBase, made: Any, loader: Any) -> str | None:
    if config.kubeconfig is None and config.context is None:
        with contextlib.suppress(loader.ConfigException):
            loader.load_incluster_config(client_configuration=made)
            return _pods_namespace()
    loader.load_kube_config(config_file=config.kubeconfig, context=config.context, client_configuration=made)
    contexts, active = loader.list_kube_config_contexts(config.kubeconfig)
    chosen = next((entry for entry in contexts if entry["name"] == config.context), active)
    namespace = (chosen.get("context") or {}).get("namespace")
    return str(namespace) if namespace else None


def _pods_namespace() -> str | None:
    try:
        return _POD_NAMESPACE.read_text().strip() or None
    except OSError:
        return None


def _use_token(made: Any, reference: str, prefix: str) -> None:
    def renew(configuration: Any) -> None:
        configuration.api_key["authorization"] = read_token(reference)

    made.api_key_prefix["authorization"] = prefix
    made.api_key["authorization"] = ""
    made.refresh_api_key_hook = renew
