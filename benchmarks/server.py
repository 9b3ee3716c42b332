"""A real server: started as people start it, measured from outside, always stopped."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import psutil

from benchmarks.client import Client, NoAnswer
from benchmarks.machine import THREAD_VARIABLES, pinned
from benchmarks.report import NotMeasured

REPOSITORY = Path(__file__).resolve().parent.parent
START_LIMIT_S = 90.0
STOP_LIMIT_S = 10.0
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", *THREAD_VARIABLES)


class ServerFailed(NotMeasured):
    """The server did not start; the message ends with what it logged."""


class Server:
    """`python -m common.host` with nothing of the caller's settings.

    Parameters
    ----------
    dataset : folder of the data set.
    state : its ATOLL_STATE; empty for a first start.
    cpus : the CPUs it may use, all by default.
    settings : more environment variables, e.g. PREDICT_THREADS.
    checkout : the code that is run.

    Attributes
    ----------
    waits : until it is ready; else until it has an address.
    """

    def __init__(
        self,
        dataset: Path,
        state: Path,
        *,
        workers: int = 1,
        cpus: set[int] | None = None,
        settings: dict[str, str] | None = None,
        checkout: Path = REPOSITORY,
    ) -> None:
        self._command = [sys.executable, "-m", "common.host", "--port", "0", "--workers", str(workers)]
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._environment |= {"ATOLL_STATE": str(state), "DATASET_PATH": str(dataset), **(settings or {})}
        self._workers = workers
        self._cpus = cpus
        self._checkout = checkout
        self.waits = True
        self.port = 0
        self.ready_s = 0.0

    def __enter__(self) -> "Server":
        self._log = tempfile.TemporaryFile("w+")
        started = time.perf_counter()
        with pinned(self._cpus):
            # A session of its own, so that all its processes can be ended together.
            self._process = subprocess.Popen(
                self._command,
                cwd=self._checkout,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(started + START_LIMIT_S)
            self.ready_s = time.perf_counter() - started
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _wait_until_ready(self, deadline: float) -> None:
        while time.perf_counter() < deadline:
            if self._process.poll() is not None:
                raise ServerFailed(f"the server ended with {self._process.returncode}:\n{self._logged()[-3000:]}")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self._logged()) if not self.port else None
            self.port = int(found[1]) if found else self.port
            if self.port and (not self.waits or self._is_ready()):
                return
            time.sleep(0.01)
        raise ServerFailed(f"the server was not ready in {START_LIMIT_S:.0f} s:\n{self._logged()[-3000:]}")

    def _is_ready(self) -> bool:
        try:
            with Client(self.port, timeout_s=5) as client:
                reply = client.get("/health/ready")
        except NoAnswer:
            return False
        if reply.status != 200 and b'"unavailable"' in reply.body:
            raise ServerFailed(f"a model cannot be loaded: {reply.json()['detail']}")
        return reply.status == 200

    def _logged(self) -> str:
        # By position: the server writes through the same open file.
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._log.close()

    def processes(self) -> list[psutil.Process]:
        """The one started and all below it."""
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def serving(self) -> list[psutil.Process]:
        """Those that answer requests."""
        if self._workers == 1:
            return self.processes()[:1]
        return [process for process in self.processes()[1:] if "spawn_main" in " ".join(process.cmdline())]

    def cpu_s(self) -> float:
        """CPU seconds, user and system, of all its processes so far."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.processes()))
