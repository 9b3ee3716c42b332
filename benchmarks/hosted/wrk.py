"""The client: wrk with one body."""

import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks.hosted.bodies import Body
from benchmarks.machine import pinned
from benchmarks.report import NotMeasured
from benchmarks.serving.wrk import Load

_SCRIPT = Path(__file__).with_name("fixed.lua")
_PATIENCE_S = 30.0


def load(url: str, body: Body, *, connections: int, seconds: int, cpus: set[int] | None) -> Load:
    """Keep `connections` requests under way for a time.

    Raises
    ------
    NotMeasured
        A request was not answered 200, or not at all.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_SCRIPT), url]
    with tempfile.NamedTemporaryFile() as file, pinned(cpus):
        file.write(body.content)
        file.flush()
        done = subprocess.run(
            [*command, "--", file.name, body.media_type, str(body.json_bytes)],
            capture_output=True,
            text=True,
            timeout=seconds + _PATIENCE_S,
            check=False,
        )
    if done.returncode or not done.stdout:
        raise NotMeasured(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise NotMeasured(f"of {found['requests']} requests {found['refused']} were refused, {found['broken']} broken")
    return Load(found["requests"], found["wall_us"] / 1e6, found["p50_us"] / 1e6, found["p99_us"] / 1e6)
