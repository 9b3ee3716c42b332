"""The receiver of telemetry from ../shared/lab: real protocols, and a stand-in for every backend behind them.

Where ../shared is missing, tests skip and say so.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.datasets import CHECKOUT
from tests.support.servers import wait_for

LAB = CHECKOUT.parent / "shared" / "lab" / "otel" / "sink.py"

Record = dict[str, Any]


class Sink:
    """A running receiver; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        if not LAB.exists():
            pytest.skip("../shared/lab is not here: no receiver of telemetry")
        self._out = folder / "telemetry.jsonl"
        command = [str(LAB), "--grpc-port", "0", "--http-port", "0", "--out", str(self._out)]
        self._process = subprocess.Popen(command)

    def __enter__(self) -> "Sink":
        ready = wait_for(lambda: self.records("ready"), "the sink")[0]
        self.http_url = f"http://127.0.0.1:{ready['http_port']}"
        self.grpc_url = f"http://127.0.0.1:{ready['grpc_port']}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def records(self, kind: str) -> list[Record]:
        """What has come so far, of a kind: `span`, `metric`, `log`, `azure`."""
        if not self._out.exists():
            return []
        # The last line may be under way.
        lines = self._out.read_text(encoding="utf-8").split("\n")[:-1]
        return [record for line in lines if (record := json.loads(line))["kind"] == kind]

    def wait_for(self, kind: str, **wanted: object) -> Record:
        """The first record of a kind with these values, as soon as there is one."""
        return wait_for(
            lambda: next(
                (
                    record
                    for record in self.records(kind)
                    if all(record.get(name) == value for name, value in wanted.items())
                ),
                None,
            ),
            f"a {kind} in the sink",
        )
