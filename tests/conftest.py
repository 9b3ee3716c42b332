import gc
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.settings import AREAS, get_settings
from tests.support import backends
from tests.support.datasets import real_dataset
from tests.support.servers import Server

# Twelve thousand tests and what they import are three million objects, which stay to the end; to look through them for
# garbage, again and again, would take a fifth of the time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever runs the tests may have settings of their own; no test may depend on them, or leave some behind."""
    for area in AREAS:
        for field in area.model_fields.values():
            monkeypatch.delenv(str(field.validation_alias), raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, with state folders of their own, and ends them after the test."""
    started: list[Server] = []

    def start(*options: str, env: dict[str, str] | None = None, **more: object) -> Server:
        server = Server(tmp_path / f"server{len(started)}", *options, env=env, **more)  # type: ignore[arg-type]
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
        server.client.close()


@pytest.fixture(scope="session")
def shared_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def sample_server(shared_state: Path) -> Iterator[Server]:
    """A server with all bundled models and the generated data set, for tests that leave it as it is."""
    server = Server(shared_state / "bundled")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sids_server(shared_state: Path) -> Iterator[Server]:
    """A server with imputation on the small real data set; skips where the data is absent."""
    server = Server(
        shared_state / "sids", env={"SERVICE_MODEL": "imputation", "DATASET_PATH": str(real_dataset("sids_small"))}
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azurite_server() -> Iterator[str]:
    """The connection string of a storage account with queues; skips where Azurite cannot run."""
    with backends.azurite() as connection_string:
        yield connection_string


# A line a request of the tests themselves drowns what went wrong.
logging.getLogger("httpx").setLevel(logging.WARNING)
