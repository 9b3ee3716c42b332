"""One caller asks far more than the limit allows, another one works: does the second one notice, does memory grow?

`python -m benchmarks.limits`: two minutes of wrk at ten times the limit, and half a minute as fast as wrk can.
`--seconds 20` is for a try. Needs wrk (`apt install wrk`).
"""

import argparse
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.client import Client
from benchmarks.report import NotMeasured, percentile
from benchmarks.server import Server

LIMIT_PER_S, TIMES = 50, 10
# Of the caller who works: within the limit.
WORK_PER_S = 25
PATH, BODY = "/sample_model/predict", b'{"requiredField": "you"}'
CONNECTIONS, FAST_CONNECTIONS = 50, 10
# wrk waits after each answer, which takes its time too.
_FASTER = 1.3
SCRIPT = """
wrk.method, wrk.body = "POST", '{body}'
wrk.headers["Content-Type"] = "application/json"
function delay() return {pause_ms} end
"""


@dataclass
class Worker:
    """Asks on a fixed beat, on a thread, and times each answer from its beat."""

    port: int
    key: str
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Worker":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with Client(self.port) as client:
            beat = time.perf_counter()
            while not self._stop.wait(max(0.0, beat - time.perf_counter())):
                reply = client.post(PATH, BODY, headers={"X-API-Key": self.key})
                self.seconds.append(time.perf_counter() - beat)
                self.statuses[reply.status] += 1
                beat += 1 / WORK_PER_S


@dataclass(frozen=True)
class Phase:
    """What was seen while the flood was of one kind."""

    name: str
    flood_per_s: float
    answered_per_s: float
    work: Worker
    cpu_share: float
    rss_bytes: list[int]

    def row(self) -> str:
        work = self.work.seconds
        refused = sum(count for status, count in self.work.statuses.items() if status != 200)
        rss = [size / 1e6 for size in self.rss_bytes]
        return (
            f"| {self.name} | {self.flood_per_s:.0f} | {self.answered_per_s:.1f} | {len(work)} | {refused} "
            f"| {percentile(work, 0.5) * 1000:.1f} ms | {percentile(work, 0.99) * 1000:.1f} ms | {self.cpu_share:.0%} "
            f"| {rss[0]:.1f} | {max(rss):.1f} | {slope_per_min(rss):+.2f} |"
        )


HEAD = (
    "| flood | sent/s | answered with 200/s | requests of the other | of these refused | p50 | p99 | CPU "
    "| RSS at its start, MB | most | growth, MB/min |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def measure(server: Server, key: str, name: str, seconds: int, per_s: float | None) -> Phase:
    """Let both work for `seconds`; `per_s` is the flood's rate, 0 for none, None for as fast as it can."""
    process = server.serving()[0]
    rss: list[int] = []
    cpu_s, began = server.cpu_s(), time.perf_counter()
    with Worker(server.port, key) as worker:
        flood = None if per_s == 0 else start_wrk(server.port, seconds, per_s)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            rss.append(process.memory_info().rss)
            time.sleep(1)
        sent, refused = (0, 0) if flood is None else told_by_wrk(flood)
        took_s = time.perf_counter() - began
    share = (server.cpu_s() - cpu_s) / took_s
    return Phase(name, sent / took_s, (sent - refused) / took_s, worker, share, rss)


def start_wrk(port: int, seconds: int, per_s: float | None) -> "subprocess.Popen[str]":
    program = shutil.which("wrk")
    if program is None:
        raise NotMeasured("wrk is not installed; `apt install wrk` brings it")
    pause_ms = 0 if per_s is None else round(1000 * CONNECTIONS / per_s / _FASTER)
    script = Path(tempfile.mkdtemp()) / "flood.lua"
    script.write_text(SCRIPT.format(body=BODY.decode(), pause_ms=pause_ms))
    options = ["-t1", f"-c{FAST_CONNECTIONS if per_s is None else CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
    return subprocess.Popen([program, *options, f"http://127.0.0.1:{port}{PATH}"], stdout=subprocess.PIPE, text=True)


def told_by_wrk(process: "subprocess.Popen[str]") -> tuple[int, int]:
    """Requests, and how many of them were answered with an error."""
    told, _ = process.communicate()
    sent = re.search(r"(\d+) requests in", told)
    if sent is None or "Socket errors" in told:
        raise NotMeasured(f"wrk did not finish its work:\n{told}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return int(sent[1]), int(refused[1]) if refused else 0


def slope_per_min(values: list[float]) -> float:
    """Of values that are a second apart, without the first quarter."""
    later = values[len(values) // 4 :]
    if len(later) < 2:
        return 0.0
    return statistics.linear_regression(range(len(later)), later).slope * 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="how long the flood lasts")
    parser.add_argument("--redis", default="", help="REDIS_URL of a Redis to count in")
    arguments = parser.parse_args()
    facts = machine.facts()
    key = secrets.token_urlsafe(32)
    settings = {
        "SERVICE_MODEL": "sample",
        "ATOLL_ROLES": "http",
        "ATOLL_ADMIN_KEY": key,
        "RATE_LIMIT_PER_S": str(LIMIT_PER_S),
        "LOGGING_LEVEL": "WARNING",
    } | ({"REDIS_URL": arguments.redis} if arguments.redis else {})
    with (
        tempfile.TemporaryDirectory() as state,
        Server(Path(state), Path(state) / "state", settings=settings) as server,
    ):
        # Once, so that what is made on first use is there.
        measure(server, key, "", 3, LIMIT_PER_S)
        phases = [
            measure(server, key, "none", max(10, arguments.seconds // 4), 0),
            measure(server, key, f"{TIMES} times the limit", arguments.seconds, LIMIT_PER_S * TIMES),
            measure(server, key, "as fast as wrk can", max(10, arguments.seconds // 4), None),
            measure(server, key, "none, after it", max(10, arguments.seconds // 4), 0),
        ]
    print(f"{facts['CPU']}; load before: {facts['load before']}; limit {LIMIT_PER_S}/s")
    print(HEAD)
    for phase in phases:
        print(phase.row())


if __name__ == "__main__":
    try:
        main()
    except NotMeasured as exc:
        sys.exit(str(exc))
