import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.queue import QueueServiceClient

from tests.conformance.deployment import make_package
from tests.conformance.environment import environment, find_python_313
from tests.conformance.storage import Storage
from tests.conformance.worker import Worker
from tests.support.backends import missing

PLUGINS = Path(__file__).with_name("plugins")


@pytest.fixture(scope="session")
def functions_python() -> Path:
    """An interpreter with Microsoft's worker library; skips where there is no Python 3.13."""
    python = find_python_313()
    if python is None:
        missing("no Python 3.13 on PATH or among pyenv's versions: the worker library cannot be run")
    return environment(python)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be deployed, in a folder of its own."""
    return make_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def worker_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The whole environment of a worker process."""
    state = tmp_path_factory.mktemp("state")
    return {
        "PATH": os.defpath,
        "HOME": str(state),
        "ATOLL_STATE": str(state),
        "ATOLL_PLUGIN_PATH": str(PLUGINS),
        # As the host sets it, and as `local.settings.example.json` opens the app for a developer.
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "ANONYMOUS_SCOPES": "predict,train,submit,admin",
    }


@contextlib.contextmanager
def _starting(python: Path, env: dict[str, str], folders: pytest.TempPathFactory) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(**more: str) -> Worker:
        started.append(Worker(python, env | more, folders.mktemp("worker")))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.close()


@pytest.fixture
def start_worker(
    functions_python: Path, worker_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Worker]]:
    """Starts worker processes that nobody has talked to yet, with more environment variables; ends them afterwards."""
    with _starting(functions_python, worker_env, tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def worker(
    functions_python: Path, worker_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory, package: Path
) -> Iterator[Worker]:
    """A worker process that serves the package."""
    with _starting(functions_python, worker_env, tmp_path_factory) as start:
        worker = start()
        worker.index(package)
        yield worker


@pytest.fixture(scope="session")
def queue_worker(
    functions_python: Path,
    worker_env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    package: Path,
    azurite_server: str,
) -> Iterator[Worker]:
    """A worker process that serves the package and has a storage account."""
    with _starting(functions_python, worker_env, tmp_path_factory) as start:
        worker = start(AzureWebJobsStorage=azurite_server)
        worker.index(package)
        yield worker


@pytest.fixture(scope="session")
def storage(azurite_server: str) -> Iterator[Storage]:
    """The queues of the storage account, as the host reads them."""
    with QueueServiceClient.from_connection_string(azurite_server) as service:
        yield Storage(service)
