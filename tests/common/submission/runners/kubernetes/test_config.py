from typing import Any

import pytest
from pydantic import ValidationError

from common.submission.runners.kubernetes.config import KubernetesConfig


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"claim": "c"}, "claim and share belong together"),
        ({"share": "/mnt"}, "claim and share belong together"),
        ({"claim": "c", "share": "mnt"}, "no absolute path"),
        ({"endpoint": "http://k8s.example.org"}, "no https:// address"),
        ({"endpoint": "k8s.example.org"}, "no https:// address"),
        ({"api_key": "env:KEY"}, "api_key needs endpoint"),
        ({"endpoint": "https://k", "api_key": "s3cret"}, "by reference only"),
        ({"endpoint": "https://k", "context": "prod"}, "either endpoint"),
        ({"partitions": ["gpu"]}, "not in pools: cpu"),
        ({"default_partition": "gpu"}, "not in pools: cpu"),
        ({"folder": "../up"}, "no path below the share"),
        ({"namespace": "Not_A_Label"}, "namespace"),
        ({"default_memory": "lots"}, "default_memory"),
        ({"pools": {"gpu": {"nodeSelector": {}}}}, "nodeSelector"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        KubernetesConfig.model_validate({"name": "lab", **fields})


@pytest.mark.parametrize("endpoint", ["https://k8s.example.org:6443/", "http://127.0.0.1:8001", "http://[::1]:1"])
def test_an_endpoint_is_encrypted_or_on_this_machine(endpoint: str) -> None:
    assert KubernetesConfig(name="lab", endpoint=endpoint).endpoint == endpoint.rstrip("/")
