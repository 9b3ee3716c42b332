import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.environments import python_with
from tests.support.servers import free_port

_PACKAGES = ("mlflow==3.17.2", "onnx>=1.18", "onnxruntime>=1.22", "skl2onnx>=1.19", "skops>=0.13")
_START_S = 120
Mlflow = Callable[..., str]


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """An interpreter with MLflow."""
    return python_with("mlflow", *_PACKAGES)


@pytest.fixture(scope="session")
def mlflow(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Mlflow:
    """Runs `real_mlflow`; what it printed."""
    script = Path(__file__).with_name("real_mlflow.py")
    folder = tmp_path_factory.mktemp("mlflow-home")

    def run(*arguments: str, **env: str) -> str:
        done = subprocess.run(
            [mlflow_python, str(script), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            cwd=folder,
            env=_environment() | {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", **env},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def tracking_server(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real tracking server."""
    folder, port = tmp_path_factory.mktemp("mlflow-server"), free_port()
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [mlflow_python, "-m", "mlflow", "server", *where, "--backend-store-uri", "sqlite:///mlflow.db"],
            stdout=log,
            stderr=log,
            cwd=folder,
            # Its own queue of jobs is eight processes that nobody here needs.
            env=_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            # It starts others, which end with it.
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, folder / "log")
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_S
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            urlopen(f"{url}/health", timeout=5).close()
        except (URLError, OSError):
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.2)
            continue
        return


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTHON"))}
