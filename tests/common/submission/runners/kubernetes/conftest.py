from collections.abc import Iterator

import pytest

from tests.support.k8s_standin import K8sStandIn, k8s_standin

NAMESPACE = "atoll"


@pytest.fixture(scope="session")
def standin() -> Iterator[K8sStandIn]:
    """A stand-in that runs Jobs as processes of this machine."""
    with k8s_standin() as server:
        server.add_namespace(NAMESPACE)
        yield server
