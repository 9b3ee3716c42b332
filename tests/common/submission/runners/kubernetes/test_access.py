import json
from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from common.submission.runners.kubernetes.access import client_of
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.connection import Connection


def test_in_a_pod_its_service_account_and_namespace_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in (("token", "of the pod"), ("ca.crt", "a certificate"), ("namespace", "of-the-pod\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr("common.submission.runners.kubernetes.access._POD_NAMESPACE", tmp_path / "namespace")
    # Not made into a client: the certificate is none.
    monkeypatch.setattr("kubernetes.client.ApiClient", lambda configuration: configuration)
    made, namespace = client_of(KubernetesConfig(name="lab"))
    assert made.host == "https://10.0.0.1:443"  # type: ignore[attr-defined]
    assert made.ssl_ca_cert == str(tmp_path / "ca.crt")  # type: ignore[attr-defined]
    assert made.get_api_key_with_prefix("BearerToken") == "bearer of the pod"  # type: ignore[attr-defined]
    assert namespace == "of-the-pod"


def test_the_namespace_is_that_of_the_context_where_none_is_configured(tmp_path: Path) -> None:
    file = tmp_path / "config"
    clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "first"}},
        {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "second"}},
    ]
    users = [{"name": "u", "user": {"token": "t"}}]
    kind = {"apiVersion": "v1", "kind": "Config", "current-context": "one"}
    file.write_text(json.dumps({**kind, "clusters": clusters, "contexts": contexts, "users": users}))
    for context, expected in ((None, "first"), ("two", "second")):
        config = KubernetesConfig(name="lab", kubeconfig=str(file), context=context)
        assert Connection(config).namespace == expected
