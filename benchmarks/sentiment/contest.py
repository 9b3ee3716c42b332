"""Texts that nobody asked for before, through Atoll and through the pipeline: both compute them all."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from benchmarks.client import Client, NoAnswer
from benchmarks.jobs.worker import Worker, cpu_s
from benchmarks.report import NotMeasured, Reach
from benchmarks.sentiment.bench import Bench, Table, median, pss_bytes
from benchmarks.sentiment.client import PATH, load
from benchmarks.sentiment.model import Texts

ATOLL, ATOLL_2, PIPELINE = "Atoll, one process", "Atoll, two processes", "pipeline behind FastAPI"
ROUNDS, SECONDS = 3, 5
_READY_S = 90.0
_IDLE_S, _IDLE_LIMIT_S = 0.2, 30.0
# Requests that a run could use up, with room.
_FASTEST = 1200


@dataclass(frozen=True)
class Cell:
    """A kind of request, from so many users.

    Attributes
    ----------
    texts : in a request.
    """

    title: str
    name: str
    connections: int
    texts: int
    draw: Callable[[Texts], list[str]]


CELLS = (
    Cell("1 text of 16 tokens, c=16", "16", 16, 1, lambda texts: [texts.of(16)]),
    Cell("1 text of 16 tokens, c=32", "16-c32", 32, 1, lambda texts: [texts.of(16)]),
    Cell("1 text of 128 tokens, c=16", "128", 16, 1, lambda texts: [texts.of(128)]),
    Cell("10 mixed texts, 10 users", "mixed", 10, 10, lambda texts: texts.mixed(10)),
)
# By cell and contestant: texts a second.
_REACHES = {"16": 180.0, "16-c32": 180.0, "128": 23.0}
_TIMES = 4.0


@dataclass(frozen=True)
class Sample:
    """One run: texts a second, latencies of requests, CPU of the server for a text, its memory, failed requests."""

    rate: float
    p50_s: float
    p99_s: float
    cpu_s: float
    pss_bytes: float
    errors: float


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int
    processes: Callable[[], Sequence[psutil.Process]]


@contextlib.contextmanager
def pipeline(bench: Bench, redis: str) -> Iterator[Served]:
    """The peer, once it answers. Raises `NotMeasured` where it does not."""
    if bench.python is None:
        raise NotMeasured("the pipeline's packages are not installed")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    module = "benchmarks.sentiment.peers.fastapi_pipeline"
    command = [bench.python, "-m", module, str(port), str(bench.checkpoint), redis]
    with Worker(command, {"HF_HUB_OFFLINE": "1"}) as worker:
        worker.wait_for(lambda: _answers(port), _READY_S, "an answer of the pipeline")
        yield Served(port, worker.processes)


def _answers(port: int) -> bool:
    try:
        with Client(port, timeout_s=30) as client:
            if client.post(PATH, b'{"text":["I love this"]}').status == 200:
                return True
    except NoAnswer:
        pass
    time.sleep(0.05)
    return False


@contextlib.contextmanager
def atoll(bench: Bench, redis: str, workers: int) -> Iterator[Served]:
    """Atoll, once it is ready."""
    with bench.image.server(workers=workers, redis=redis) as server:
        if not _answers(server.port):
            raise NotMeasured("Atoll does not answer")
        yield Served(server.port, server.processes)


def measure(bench: Bench, redis: Callable[[int], str]) -> None:
    """All servers run throughout, and take turns.

    Parameters
    ----------
    redis : number of a database -> its URL.
    """
    found: dict[tuple[str, str], list[Sample]] = {}
    with ExitStack() as stack:
        servers = {
            ATOLL: stack.enter_context(atoll(bench, redis(1), 1)),
            ATOLL_2: stack.enter_context(atoll(bench, redis(2), 2)),
        }
        try:
            servers[PIPELINE] = stack.enter_context(pipeline(bench, redis(3)))
        except NotMeasured as exc:
            bench.report.fail("the pipeline", exc)
        for number in range(1 if bench.quick else ROUNDS):
            for cell in CELLS:
                texts = bench.texts()
                bodies = bench.bodies([cell.draw(texts) for _ in range(_FASTEST * SECONDS // cell.texts)])
                for name, server in servers.items():
                    sample = _run(server, cell, bodies, 2 if bench.quick else SECONDS)
                    found.setdefault((cell.name, name), []).append(sample)
                    print(
                        f"  {number + 1}: {cell.title}: {name}: {sample.rate:.1f} texts/s, "
                        f"{sample.cpu_s * 1000:.2f} ms of CPU a text",
                        flush=True,
                    )
                bodies.unlink()
    _tell(bench, found)


def _run(server: Served, cell: Cell, bodies: Path, seconds: int) -> Sample:
    before = cpu_s(server.processes())
    seen = load(server.port, bodies, connections=cell.connections, seconds=seconds)
    count = max(1, seen.requests * cell.texts)
    used_s = cpu_s(server.processes()) - before
    _settle(server)
    pss = float(sum(pss_bytes(server.processes())))
    return Sample(seen.rate * cell.texts, seen.p50_s, seen.p99_s, used_s / count, pss, seen.errors)


def _settle(server: Served) -> None:
    """Until what wrk left unanswered at its end is computed: the next one needs the CPUs."""
    until = time.monotonic() + _IDLE_LIMIT_S
    before = cpu_s(server.processes())
    while time.monotonic() < until:
        time.sleep(_IDLE_S)
        now = cpu_s(server.processes())
        if now - before < 0.1 * _IDLE_S:
            return
        before = now


def _tell(bench: Bench, found: dict[tuple[str, str], list[Sample]]) -> None:
    medians = {key: _median(runs) for key, runs in found.items()}
    head = ("", "server", "texts/s", "to the pipeline", "p50", "p99", "CPU a text", "the pipeline's", "PSS")
    table = Table("Texts that nobody asked for before, medians of runs that take turns:", head)
    for cell in CELLS:
        peer = medians.get((cell.name, PIPELINE))
        for name in (ATOLL, ATOLL_2, PIPELINE):
            row = medians.get((cell.name, name))
            if row is None:
                continue
            table.rows.append(
                (
                    cell.title if name == ATOLL else "",
                    name,
                    f"{row.rate:.1f}",
                    _times(row.rate, peer.rate if peer else None),
                    f"{row.p50_s * 1000:.0f} ms",
                    f"{row.p99_s * 1000:.0f} ms",
                    f"{row.cpu_s * 1000:.2f} ms",
                    _times(peer.cpu_s if peer else None, row.cpu_s),
                    f"{row.pss_bytes / 1e6:.0f} MB",
                )
            )
        row = medians[cell.name, ATOLL]
        if cell.name in _REACHES:
            reach = Reach(_REACHES[cell.name], "value", at_least=True)
            bench.add(ATOLL, f"uncached-{cell.name}", f"{cell.title}, texts a second", row.rate, "/s", reach, 1)
        elif peer is not None and peer.rate:
            title = f"{cell.title}, by the rate of the pipeline"
            reach = Reach(_TIMES, "value", at_least=True)
            bench.add(ATOLL, f"uncached-{cell.name}", title, row.rate / peer.rate, "x", reach, 1)
    errors = sum(run.errors for runs in found.values() for run in runs)
    bench.add("all", "uncached-errors", "requests that failed", errors, "", Reach(0, "value"))
    table.note = "All servers run at once, and those of Atoll share the weights, which count in parts."
    bench.table(table)
    bench.details["uncached"] = [
        {"cell": cell, "server": name, "runs": [asdict(run) for run in runs]} for (cell, name), runs in found.items()
    ]


def _times(value: float | None, base: float | None) -> str:
    return f"{value / base:.1f} x" if value and base else ""


def _median(runs: Sequence[Sample]) -> Sample:
    return Sample(**{key.name: median([getattr(run, key.name) for run in runs]) for key in fields(Sample)})
