"""Real servers: `python -m common.host` in a process of its own, on a free port."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

CHECKOUT = Path(__file__).resolve().parents[2]
# Only a server that hangs takes as long.
_PATIENCE_S = 60.0

T = TypeVar("T")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class Server:
    """Starts at once and waits until `/health/live` answers.

    Parameters
    ----------
    state : folder for ATOLL_STATE and the log.
    verify : for https, as httpx takes it.
    env : more environment variables.
    folder : the checkout that is served.
    """

    def __init__(
        self,
        state: Path,
        *options: str,
        verify: Any = True,
        env: dict[str, str] | None = None,
        ready: bool = True,
        folder: Path = CHECKOUT,
    ) -> None:
        self.log_file = state / "server.log"
        state.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "common.host", *options],
                cwd=folder,
                env=environment(state, env),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.url = self._wait_for_address()
            self.client = httpx.Client(base_url=self.url, verify=verify, timeout=120, trust_env=False)
            self._wait_until_live()
            if ready:
                self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Asked once more where a kept connection is closed just then, as clients have to do (RFC 9112, 9.3.1)."""
        try:
            return self.client.get(path, **more)
        except httpx.RemoteProtocolError:
            return self.client.get(path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.client.post(path, **more)

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait until the log has a line that matches."""
        return wait_for(lambda: re.search(pattern, self.log, re.MULTILINE), f"{pattern!r} in the log", self._explain)

    def wait_until_ready(self) -> None:
        """Wait until no model is loading any more; some may be unavailable."""

        def loaded() -> bool:
            return all(model["state"] != "loading" for model in self.get("/models").json())

        wait_for(loaded, "the models to load", self._explain)

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 40) -> int:
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """End it as an operator would; fails if it does not end."""
        if self.process.poll() is None:
            self.interrupt(signal.SIGTERM)
            try:
                self.wait()
            finally:
                self.kill()
        self.client.close()

    def kill(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid)
            for member in [*family.children(recursive=True), family]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        self.process.wait()

    def _wait_for_address(self) -> str:
        return self.wait_for_log(r"^  address +(https?://\S+)").group(1)

    def _wait_until_live(self) -> None:
        def live() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return self.get("/health/live").status_code == 200
            return False

        wait_for(live, "/health/live", self._explain)

    def _explain(self) -> str | None:
        """Why waiting is of no use any more, or the log."""
        code = self.process.poll()
        return None if code is None else f"the server ended with {code}:\n{self.log[-3000:]}"


def environment(state: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a server: nothing leaks in from whoever runs the tests."""
    return {
        "PATH": os.defpath,
        "HOME": str(state),
        "ATOLL_STATE": str(state),
        "PORT": "0",
        "COLUMNS": "140",
        "PYTHONWARNINGS": "default",
        "PREDICT_THREADS": "1",
        **(more or {}),
    }


def run_host(state: Path, *options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the host to its end, for starts that must fail."""
    return run_python(["-m", "common.host", *options], state, env)


def run_cli(
    state: Path, *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command line, its output in a pipe."""
    return run_python(["-m", "common.cli", *arguments], state, env, stdin)


def run_python(
    arguments: Sequence[str], state: Path, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout with a clean environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=environment(state, env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


def wait_for(condition: Callable[[], T | None], what: str, ended: Callable[[], str | None] = lambda: None) -> T:
    """The first true value of `condition`, asked again and again; fails with `what` when that takes too long."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        # Before the question, so that a last word of a process that has ended is still read.
        reason = ended()
        found = condition()
        if found:
            return found
        if reason is not None or time.monotonic() > until:
            raise AssertionError(f"waited in vain for {what}: {reason or 'time is up'}")
        time.sleep(0.02)
