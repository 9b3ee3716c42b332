"""The client: wrk, the same for everybody, with bodies that are all different or a hundred that return."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import pinned
from benchmarks.report import NotMeasured

_BODIES = Path(__file__).with_name("bodies.lua")
# More bodies than any run sends, below the integers that a float holds.
ENDLESS = 10**12
RETURNING = 100
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    wall_s: float
    p50_s: float
    p99_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.wall_s


def check() -> None:
    """Raises `NotMeasured` where there is no wrk."""
    if shutil.which("wrk") is None:
        raise NotMeasured("there is no wrk (apt install wrk)")


def load(
    url: str, template: str, *, connections: int, seconds: int, first: int, distinct: int, cpus: set[int] | None
) -> Load:
    """Keep `connections` requests under way for a time.

    Parameters
    ----------
    template : of the body; `$N` becomes a number that counts from `first`, and begins again after `distinct`.
    cpus : where wrk runs.

    Raises
    ------
    NotMeasured
        A request was not answered 200, or not at all.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_BODIES), url]
    try:
        with pinned(cpus):
            done = subprocess.run(
                [*command, "--", template, str(first), str(distinct)],
                capture_output=True,
                text=True,
                timeout=seconds + _PATIENCE_S,
                check=False,
            )
    except subprocess.TimeoutExpired as exc:
        raise NotMeasured(f"wrk did not end within {exc.timeout:.0f} s") from None
    if done.returncode or not done.stdout:
        raise NotMeasured(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise NotMeasured(f"of {found['requests']} requests {found['refused']} were refused, {found['broken']} broken")
    return Load(found["requests"], found["wall_us"] / 1e6, found["p50_us"] / 1e6, found["p99_us"] / 1e6)
