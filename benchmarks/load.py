"""Many users at once on several processes, while somebody asks whether the processes live."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.client import Client, one_for_each, peers
from benchmarks.data import Data
from benchmarks.latency import Bench
from benchmarks.prober import Seen
from benchmarks.questions import Questions, encode
from benchmarks.report import Fact, NotMeasured, Reach, Timing, percentile
from benchmarks.server import REPOSITORY, Server
from benchmarks.users import Outcome

WORKERS = 2
USERS, LOOPS = 20, 20
QUICK_LOOPS = 2
IDLE_S = 2.0
LIMIT_S = 300.0


@dataclass(frozen=True)
class Run:
    """What one load did to a server."""

    outcome: Outcome
    probes: Seen
    server_cpu_s: float
    spread: tuple[int, ...]


def measure(bench: Bench, data: Data) -> None:
    if not bench.wants("load"):
        return
    loops = QUICK_LOOPS if bench.quick else LOOPS
    with Server(data.folder, bench.state(), workers=WORKERS) as server:
        pids = [process.pid for process in server.serving()]
        clients = one_for_each(server.port, pids)
        for client in clients.values():
            _wait_until_ready(client)
        first = next(iter(clients.values()))
        questions = Questions(first)
        for client in clients.values():
            questions.warm(client)
            client.__exit__(None, None, None)
        with probing(server.port, pids) as idle:
            time.sleep(IDLE_S)
        requests = [[encode(questions.manual()).decode() for _ in range(loops)] for _ in range(USERS)]
        done = _run(server, pids, requests)
        _tell(bench, data, done, idle)
        _tell_memory(bench, data, server)


def _wait_until_ready(client: Client) -> None:
    deadline = time.perf_counter() + LIMIT_S
    while client.get("/health/ready").status != 200:
        if time.perf_counter() > deadline:
            raise NotMeasured("a process of the server did not get ready")
        time.sleep(0.1)


def _run(server: Server, pids: list[int], requests: list[list[str]]) -> Run:
    over, spread = threading.Event(), list[int]()
    look = threading.Thread(target=_look, args=(pids, over, spread))
    with probing(server.port, pids) as probes:
        before = server.cpu_s()
        look.start()
        try:
            users = subprocess.run(
                [sys.executable, "-m", "benchmarks.users"],
                input=json.dumps({"port": server.port, "requests": requests}),
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                text=True,
                timeout=LIMIT_S,
                check=True,
            )
        finally:
            over.set()
            look.join()
        cpu_s = server.cpu_s() - before
    return Run(Outcome(**json.loads(users.stdout)), probes, cpu_s, tuple(spread))


def _look(pids: list[int], over: threading.Event, spread: list[int]) -> None:
    """How the users' connections fell to the processes, as soon as all are open; less the prober's own."""
    while not over.wait(0.2):
        found = [len(peers(pid)) - 1 for pid in pids]
        if sum(found) == USERS:
            spread += found
            return


@contextlib.contextmanager
def probing(port: int, pids: list[int]) -> Iterator[Seen]:
    """What a prober sees meanwhile; filled in at the end."""
    seen = Seen()
    prober = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.prober", str(port), *map(str, pids)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert prober.stdout is not None
        if prober.stdout.readline() != "ready\n":
            raise NotMeasured("the prober did not reach the server")
        yield seen
        written, _ = prober.communicate(timeout=60)
        for found in json.loads(written):
            seen.seconds += found["seconds"]
            seen.errors += found["errors"]
    finally:
        prober.kill()
        prober.wait()


def _tell(bench: Bench, data: Data, run: Run, idle: Seen) -> None:
    outcome, live = run.outcome, run.probes
    asked = len(outcome.seconds) + len(outcome.errors)
    rate = 60 * len(outcome.seconds) / outcome.wall_s

    def fact(name: str, title: str, value: float, unit: str, reach: Reach | None = None, old: str = "") -> Fact:
        decimals = 1 if unit == "ms" else 0
        return Fact(data.name, name, title, value, unit, bench.judged(data, reach), old, decimals)

    spread = f"connections of the busiest process, of {USERS}"
    bench.report.add(
        *([fact("load-spread", spread, max(run.spread), "")] if run.spread else []),
        Timing(
            data.name,
            "load",
            f"first type, {USERS} users at once, {WORKERS} processes",
            tuple(outcome.seconds),
            cpu_s=run.server_cpu_s / asked,
            errors=tuple(outcome.errors),
        ),
        fact("load-errors", "errors under load", len(outcome.errors), "", Reach(0, "value")),
        fact("load-rate", "predictions a minute", rate, "", Reach(1000, "value", at_least=True), "32.7"),
        fact("load-p99", "predictions under load, p99", _or_zero(outcome.seconds, 0.99) * 1000, "ms"),
        fact("load-cpu", "CPU of the server for one request", run.server_cpu_s / asked * 1000, "ms"),
        fact("load-client-cpu", "CPU of the users for one request", outcome.cpu_s / asked * 1000, "ms"),
        fact("live-idle", "/health/live without load, p99", _or_zero(idle.seconds, 0.99) * 1000, "ms"),
        fact("live-p50", "/health/live under load, p50", _or_zero(live.seconds, 0.5) * 1000, "ms"),
        fact(
            "live-p99",
            f"/health/live under load, p99 of {len(live.seconds)}",
            _or_zero(live.seconds, 0.99) * 1000,
            "ms",
            Reach(50, "value"),
            "up to 30 s",
        ),
        fact("live-max", "/health/live under load, slowest", _or_zero(live.seconds, 1.0) * 1000, "ms"),
        fact("live-errors", "probes that failed", len(live.errors), "", Reach(0, "value")),
    )


def _or_zero(values: list[float], share: float) -> float:
    return percentile(values, share) if values else 0.0


def _tell_memory(bench: Bench, data: Data, server: Server) -> None:
    """Of the largest process that serves. PSS counts pages that processes share in parts."""
    found = [process.memory_full_info() for process in server.serving()]
    kinds = {"rss": "resident (RSS)", "pss": "its share of pages (PSS)"}
    for kind, title in kinds.items():
        value = max(float(getattr(info, kind, 0.0)) for info in found) / 1e6
        reach = bench.judged(data, Reach(500, "value"))
        bench.report.add(
            Fact(data.name, f"memory-{kind}", f"memory of a process after load, {title}", value, "MB", reach)
        )
