import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.deployment import make_package
from tests.conformance.environment import environment, find_python_313
from tests.conformance.worker import Worker

PLUGINS = Path(__file__).with_name("plugins")


@pytest.fixture(scope="session")
def functions_python() -> Path:
    """An interpreter with Microsoft's worker library; skips where there is no Python 3.13."""
    python = find_python_313()
    if python is None:
        message = "no Python 3.13 on PATH or among pyenv's versions: the worker library cannot be run"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)
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
    }


@pytest.fixture(scope="session")
def start_worker(
    functions_python: Path, worker_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Worker]]:
    """Starts worker processes that nobody has talked to yet."""
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(functions_python, worker_env, tmp_path_factory.mktemp("worker")))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture(scope="session")
def worker(start_worker: Callable[[], Worker], package: Path) -> Worker:
    """A worker process that serves the package."""
    worker = start_worker()
    worker.index(package)
    return worker
