"""Ending a server: what is under way is finished."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server, wait_for


def serve(start_server: Callable[..., Server], slow: Path, workers: int = 1) -> Server:
    env = {"ATOLL_PLUGIN_PATH": str(slow.parent), "SERVICE_MODEL": "slow", "WORKERS": str(workers)}
    return start_server(env=env)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_under_way_is_finished(
    start_server: Callable[..., Server], slow: Path, number: signal.Signals, workers: int
) -> None:
    server = serve(start_server, slow, workers)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(httpx.get, f"{server.url}/slow/wait", timeout=60, trust_env=False)
        wait_for(lambda: (slow / "begun").exists(), "the request to begin")
        server.interrupt(number)
        server.wait_for_log("Shutting down")
        assert server.process.poll() is None
        (slow / "go").touch()
        assert asked.result(30).json() == "finished"
    server.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_server_ends_without_a_traceback(
    start_server: Callable[..., Server], slow: Path, number: signal.Signals
) -> None:
    server = serve(start_server, slow)
    server.interrupt(number)
    assert server.wait() in (0, -number)
    assert "Traceback" not in server.log


def test_a_server_whose_model_hangs_while_loading_ends_all_the_same(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    package = tmp_path / "plugins" / "hangs"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import time\nfrom fastapi import APIRouter\nfrom common.plugins import Plugin\n"
        "router = APIRouter()\nplugin = Plugin(load=lambda: time.sleep(600))\n"
    )
    env = {"ATOLL_PLUGIN_PATH": str(package.parent), "SERVICE_MODEL": "hangs"}
    server = start_server(env=env, ready=False)
    assert server.get("/health/ready").status_code == 503
    server.interrupt(signal.SIGTERM)
    server.wait(30)


def test_no_new_connection_is_taken_while_draining(start_server: Callable[..., Server], slow: Path) -> None:
    server = serve(start_server, slow)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(httpx.get, f"{server.url}/slow/wait", timeout=60, trust_env=False)
        wait_for(lambda: (slow / "begun").exists(), "the request to begin")
        server.interrupt(signal.SIGTERM)
        server.wait_for_log("Shutting down")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health/live", trust_env=False)
        (slow / "go").touch()
        asked.result(30)


def test_a_server_that_was_killed_leaves_no_temporary_folders_after_the_next_start(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"SERVICE_MODEL": "sample", "TMPDIR": str(temporary)}

    def folders() -> set[Path]:
        """Those of metrics, and of the socket by which job processes are made, as soon as both are there."""
        found = set(temporary.iterdir())
        is_whole = {path.name.split("-")[0] for path in found} == {"atoll", "pymp"}
        return found if is_whole and any(temporary.glob("pymp-*/atoll-owner-*")) else set()

    first = start_server(env=env)
    left = wait_for(folders, "the folders of the first server")
    first.kill()
    assert set(temporary.iterdir()) == left

    second = start_server(env=env)
    wait_for(lambda: len(folders() - left) == 2 and not left & set(temporary.iterdir()), "the old folders to go")
    second.stop()
    assert list(temporary.iterdir()) == []


def test_the_folder_of_shared_metrics_is_removed(start_server: Callable[..., Server], slow: Path) -> None:
    temporary = slow.parents[1] / "temporary"
    temporary.mkdir()
    env = {
        "ATOLL_PLUGIN_PATH": str(slow.parent),
        "SERVICE_MODEL": "slow",
        "WORKERS": "2",
        "TMPDIR": str(temporary),
    }
    server = start_server(env=env)
    assert [path.name.startswith("atoll-metrics-") for path in temporary.iterdir()] == [True]
    server.interrupt(signal.SIGTERM)
    server.wait()
    # What Python's own multiprocessing leaves goes a moment later.
    assert [path for path in temporary.iterdir() if path.name.startswith("atoll-metrics-")] == []
