"""The client: wrk, the same for all servers, with bodies from a file."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import NotMeasured

PATH = "/project/bulk-predict"
_BODIES = Path(__file__).with_name("bodies.lua")
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    Attributes
    ----------
    refused, broken : answers that are no 2xx or 3xx; requests without an answer.
    """

    requests: int
    wall_s: float
    p50_s: float
    p99_s: float
    max_s: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.wall_s

    @property
    def errors(self) -> int:
        return self.refused + self.broken


def write_bodies(file: Path, bodies: Iterable[list[str]]) -> Path:
    """One request a line."""
    file.write_text("".join(json.dumps({"text": texts}, separators=(",", ":")) + "\n" for texts in bodies))
    return file


def load(port: int, bodies: Path, *, connections: int, seconds: int, first: int = 0) -> Load:
    """Keep `connections` requests under way for a time.

    Parameters
    ----------
    first : line of the file to begin with.

    Raises
    ------
    NotMeasured
        There is no wrk, or it failed.
    """
    if shutil.which("wrk") is None:
        raise NotMeasured("there is no wrk (apt install wrk)")
    url = f"http://127.0.0.1:{port}{PATH}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(_BODIES), url]
    done = subprocess.run(
        [*command, "--", str(bodies), str(first)],
        capture_output=True,
        text=True,
        timeout=seconds + _PATIENCE_S,
        check=False,
    )
    if done.returncode or not done.stdout:
        raise NotMeasured(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    wall_s, p50_s, p99_s, max_s = (found[f"{name}_us"] / 1e6 for name in ("wall", "p50", "p99", "max"))
    return Load(found["requests"], wall_s, p50_s, p99_s, max_s, found["refused"], found["broken"])
