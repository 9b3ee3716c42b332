"""The same jobs through each system: how fast they run, how soon they begin, what they cost."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from benchmarks.jobs import marks
from benchmarks.jobs.peers.frame import CONCURRENCY, send_all
from benchmarks.jobs.worker import Worker, cpu_s, environment, peer_command
from benchmarks.report import NotMeasured, percentile
from benchmarks.server import REPOSITORY

_PATIENCE_S = 240.0
SLEEP_S = 0.05
_LATENCY_GAP_S = (0.03, 0.09)
# Jobs at the beginning that are not measured: the first ones find nothing warm.
_WARM_SHARE = 0.1

Wanted = dict[str, object]


@dataclass(frozen=True)
class System:
    """A job system.

    Attributes
    ----------
    setting : its queue and how jobs run, for people.
    command, settings : of its worker, which runs `CONCURRENCY` jobs at once.
    send : sends jobs and gives the seconds that each took.
    server : the processes of its database or broker.
    """

    name: str
    setting: str
    command: Sequence[str]
    settings: dict[str, str]
    send: Callable[[Wanted], list[float]]
    server: Callable[[], list[psutil.Process]]


@dataclass(frozen=True)
class Score:
    """What was measured of a system; `server_cpu_s` is its database's or broker's for each no-op job."""

    name: str
    setting: str
    noop_rate: float
    sleep_rate: float
    enqueue_s: tuple[float, ...]
    wait_s: tuple[float, ...]
    cpu_s: float
    server_cpu_s: float


@dataclass(frozen=True)
class Sizes:
    """How many jobs of each kind."""

    noop: int = 2000
    sleep: int = 300
    wait: int = 150


QUICK = Sizes(noop=300, sleep=60, wait=30)


def peer(python: str, module: str, name: str, setting: str, url: str, server: Sequence[psutil.Process]) -> System:
    """One of the other job systems. Raises `NotMeasured` where its package is not installed."""
    settings = {"BENCH_URL": url}
    prepared = _run(peer_command(python, module, "prepare"), settings, "")
    if prepared.returncode:
        last = prepared.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise NotMeasured(f"{name} cannot be run: {last[0][:300]} (make bench-jobs installs it)")

    def send(wanted: Wanted) -> list[float]:
        done = _run(peer_command(python, module, "enqueue"), settings, json.dumps(wanted))
        if done.returncode:
            raise NotMeasured(f"{name} cannot send jobs: {done.stderr[-1000:]}")
        took: list[float] = json.loads(done.stdout)
        return took

    return System(name, setting, peer_command(python, module, "worker"), settings, send, lambda: list(server))


def with_server(system: System, server: Callable[[], list[psutil.Process]]) -> System:
    return replace(system, server=server)


def measure(system: System, sizes: Sizes, scratch: Path) -> Score:
    """Run the jobs through a system."""
    folder = scratch / "".join(c if c.isalnum() else "-" for c in system.name)
    folder.mkdir(parents=True)
    noop, waits, sleep = (folder / name for name in ("noop", "waits", "sleep"))
    enqueue_s = system.send(_wanted(noop, [0.0] * sizes.noop))
    with Worker(system.command, system.settings) as worker:
        noop_rate, cpu, server = _drain(system, worker, noop, sizes.noop)
        gaps = [random.Random(1).uniform(*_LATENCY_GAP_S) for _ in range(sizes.wait)]
        system.send(_wanted(waits, gaps))
        worker.wait_for(lambda: marks.count(waits) >= sizes.wait, _PATIENCE_S, f"{system.name}: all jobs")
        system.send(_wanted(sleep, [0.0] * sizes.sleep, SLEEP_S))
        sleep_rate, _, _ = _drain(system, worker, sleep, sizes.sleep)
    wait_s = tuple(began - sent for sent, began in marks.read(waits))
    return Score(system.name, system.setting, noop_rate, sleep_rate, tuple(enqueue_s), wait_s, cpu, server)


def _drain(system: System, worker: Worker, file: Path, total: int) -> tuple[float, float, float]:
    """Jobs a second, CPU seconds of the worker and of the server for each; from a tenth of the jobs on."""
    first = int(total * _WARM_SHARE)
    worker.wait_for(lambda: marks.count(file) >= first, _PATIENCE_S, f"{system.name}: the first jobs")
    at, family, servers = marks.count(file), worker.processes(), system.server()
    worker_s, server_s = cpu_s(family), cpu_s(servers)
    worker.wait_for(lambda: marks.count(file) >= total, _PATIENCE_S, f"{system.name}: all jobs")
    worker_s, server_s = cpu_s(family) - worker_s, cpu_s(servers) - server_s
    began = sorted(began for _, began in marks.read(file))
    count = total - at
    if count < 2:
        # All ran before anybody looked; the marks tell the rate all the same.
        at, count = first, total - first
    return count / (began[-1] - began[at - 1]), worker_s / count, server_s / count


def _wanted(file: Path, gaps_s: list[float], sleep_s: float = 0.0) -> Wanted:
    return {"marks": str(file), "sleep_s": sleep_s, "gaps_s": gaps_s}


def _run(command: Sequence[str], settings: dict[str, str], given: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        input=given,
        cwd=REPOSITORY,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


def table(scores: Sequence[Score]) -> str:
    """One row a system; ratios are to the first of Atoll's rows with the same kind of store, else to its first row."""
    head = (
        f"one worker, {CONCURRENCY} jobs at once",
        "queue; how jobs run",
        "no-op jobs/s",
        "50 ms jobs/s",
        "enqueue p50",
        "sent to begun p50",
        "p99",
        "CPU of the worker a job",
        "of the server",
    )
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(head) - 2)]
    base = scores[0] if scores else None
    for score in scores:
        assert base is not None
        cells = [
            score.name,
            score.setting,
            f"{score.noop_rate:,.0f} ({score.noop_rate / base.noop_rate:.2f})",
            f"{score.sleep_rate:.1f} ({score.sleep_rate / base.sleep_rate:.2f})",
            f"{percentile(score.enqueue_s, 0.5) * 1000:.2f} ms",
            f"{percentile(score.wait_s, 0.5) * 1000:.0f} ms",
            f"{percentile(score.wait_s, 0.99) * 1000:.0f} ms",
            f"{score.cpu_s * 1000:.2f} ms ({score.cpu_s / base.cpu_s:.2f})",
            f"{score.server_cpu_s * 1000:.2f} ms",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    most = CONCURRENCY / SLEEP_S
    note = f"In brackets: ratio to the first row. 50 ms jobs: no worker can do more than {most:.0f}/s."
    return "\n".join(lines) + f"\n\n{note}\n"


def local_sender(send: Callable[[str, float, float], object]) -> Callable[[Wanted], list[float]]:
    return lambda wanted: send_all(send, wanted)


def python_of_peers(given: str | None) -> str:
    """The interpreter that has the peers' packages: as given, else that of `make bench-jobs`, else this one."""
    made = REPOSITORY / ".venv" / "bench" / "bin" / "python"
    return given or (str(made) if made.exists() else sys.executable)
