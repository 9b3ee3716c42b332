"""How long a process takes to be of use: the import of the app, the first start, later starts."""

import os
import subprocess
import sys

from benchmarks.client import Client
from benchmarks.data import Data
from benchmarks.latency import Bench, alone, client_cpus
from benchmarks.machine import pinned
from benchmarks.questions import Questions, ask
from benchmarks.report import Reach, Timing
from benchmarks.server import REPOSITORY

_IMPORT = """
import time
from common.app import create_app
create_app()
print(time.process_time())
"""


def measure_import(bench: Bench) -> None:
    """CPU seconds of a fresh process, from its first instruction to an app with all plugins mounted."""
    if not bench.wants("import"):
        return
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "ATOLL_STATE": str(bench.state())}
    seconds = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
        seconds.append(float(done.stdout.splitlines()[-1]))
    reach = Reach(1.0, "median")
    bench.report.add(Timing("none", "import", "import of the app, CPU seconds", tuple(seconds), reach))


def measure(bench: Bench, data: Data) -> None:
    """From the start of the process to `/health/ready`, on one CPU; and the first prediction after that."""
    if not bench.wants("start"):
        return
    first, later, prediction = [], [], []
    for _ in range(1 if bench.quick else 2):
        state = bench.state()
        with alone(data, state) as server:
            first.append(server.ready_s)
        for _ in range(2):
            with alone(data, state) as server, pinned(client_cpus()), Client(server.port) as client:
                later.append(server.ready_s)
                prediction.append(ask(client, Questions(client).manual(), fresh=True).took_s)
    bench.report.add(
        _timing(bench, data, "start-first", "start with an empty state to ready", first, Reach(15, "max")),
        _timing(bench, data, "start-later", "later start to ready", later, Reach(2, "max")),
        _timing(bench, data, "start-prediction", "first prediction of a fresh process, first type", prediction, None),
    )


def _timing(bench: Bench, data: Data, name: str, title: str, seconds: list[float], reach: Reach | None) -> Timing:
    return Timing(data.name, name, title, tuple(seconds), bench.judged(data, reach))
