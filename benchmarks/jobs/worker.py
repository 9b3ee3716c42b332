"""A contestant's worker: a program started as people start it, watched from outside, always ended with all of its."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.report import NotMeasured
from benchmarks.server import REPOSITORY

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_STOP_S = 10.0


def environment(more: dict[str, str]) -> dict[str, str]:
    """Nothing of the caller's settings."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": str(REPOSITORY)} | more


class Worker:
    """Runs from `with` to its end; what it wrote is told when it dies."""

    def __init__(self, command: Sequence[str], settings: dict[str, str]) -> None:
        self._command = list(command)
        self._environment = environment(settings)

    def __enter__(self) -> "Worker":
        self._log = tempfile.TemporaryFile("w+")
        # A session of its own, so that whoever ends the benchmark does not end a part of it before it is looked at.
        self._process = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        family = self.processes()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        kill(family)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def processes(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """End it, and all below it, as the loss of a machine would."""
        kill(self.processes())
        self._process.wait()

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Raises `NotMeasured` if it ends, or the time does, before the condition holds."""
        until = time.monotonic() + timeout_s
        while not condition():
            if self._process.poll() is not None or time.monotonic() > until:
                raise NotMeasured(f"{what} did not happen:\n{self._logged()[-2000:]}")
            time.sleep(0.002)

    def _logged(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")


def kill(processes: Sequence[psutil.Process]) -> None:
    """The parents first, so that they do not see their children die."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds so far, user and system, of all that live and the children they have seen end."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def peer_command(python: Path | str, module: str, command: str) -> list[str]:
    return [str(python), "-m", f"benchmarks.jobs.peers.{module}", command]
