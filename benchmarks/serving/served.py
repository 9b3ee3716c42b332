"""A contestant's server: started, asked until it answers rightly, watched from outside, ended with all of its."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.client import Client, NoAnswer
from benchmarks.jobs.worker import Worker, cpu_s
from benchmarks.machine import pinned
from benchmarks.report import NotMeasured
from benchmarks.serving.contestants import Asked, Contestant, python_of

_READY_S = 60.0
# Any number does; none that a run counts to.
_EXAMPLE = "3"
# What servers say of models that are not loaded yet.
_SOON = (b"not ready", b"unknown model")


class Served:
    """Runs from `with` to its end, on `cpus`."""

    def __init__(self, contestant: Contestant, state: Path, cpus: set[int] | None) -> None:
        self.contestant = contestant
        self.port = _free_port()
        self._cpus = cpus
        state.mkdir(parents=True)
        command = contestant.command(python_of(contestant), state, self.port)
        settings = {"HOME": str(state)} | contestant.settings(state, self.port)
        self._worker = Worker(command, settings)

    def __enter__(self) -> "Served":
        with pinned(self._cpus):
            self._worker.__enter__()
        try:
            for model, asked in self.contestant.models.items():
                self._worker.wait_for(self._answers(asked), _READY_S, f"{self.contestant.name}: an answer of {model}")
        except BaseException:
            self._worker.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.__exit__()

    def _answers(self, asked: Asked) -> Callable[[], bool]:
        body = asked.template.replace("$N", _EXAMPLE).encode()

        def answers() -> bool:
            try:
                with Client(self.port, timeout_s=5) as client:
                    reply = client.post(asked.path, body)
            except NoAnswer:
                time.sleep(0.05)
                return False
            if reply.status == 200:
                return True
            if reply.status in (400, 404, 422) and not any(word in reply.body for word in _SOON):
                raise NotMeasured(f"{self.contestant.name} answered {reply.status}: {reply.body[:300]!r}")
            time.sleep(0.05)
            return False

        return answers

    def cpu_s(self) -> float:
        """CPU seconds, user and system, of all its processes so far."""
        return cpu_s(self._worker.processes())

    def pss_bytes(self) -> int:
        """Memory of all its processes, shared pages in parts."""
        return sum(process.memory_full_info().pss for process in self._worker.processes())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
