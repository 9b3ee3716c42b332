from collections.abc import Iterator

import pytest

from common.client import Client
from tests.common.client.job_server import gate, job_server
from tests.support.servers import Server

__all__ = ["gate", "job_server"]


@pytest.fixture(autouse=True)
def _no_client_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ATOLL_URL", "ATOLL_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(job_server: Server) -> Iterator[Client]:
    with Client(job_server.url) as client:
        yield client
