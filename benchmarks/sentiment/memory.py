"""Start to first answer, and the memory of processes: after the first answer, and under load."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from benchmarks.client import Client, NoAnswer
from benchmarks.report import NotMeasured, Reach
from benchmarks.sentiment import mixture
from benchmarks.sentiment.bench import Bench, Table, median, pss_bytes
from benchmarks.sentiment.client import PATH, load

STARTS, QUICK_STARTS = 5, 1
MIXTURE_S = 4
# Texts of words from the whole vocabulary, which touch all of its rows.
TEXTS, TOGETHER, TOKENS = 384, 8, (10, 62)
_SAMPLE_S = 0.05
_HEAD = ("processes", "first answer", "the mixture", "all words", "of it weights", "ONNX Runtime's code", "the rest")
_MAPPED = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$")


def measure(bench: Bench, redis: Callable[[int], str]) -> None:
    """Of one process and of two, with the model baked in; of one that has it from the registry."""
    _starts(bench)
    table = Table("Memory of a process (PSS): the largest seen until then", _HEAD)
    found = _memory(bench, table, "one, baked", redis(7))
    limit = Reach(160, "value")
    bench.add("Atoll", "pss-first", "memory of a process (PSS), after the first answer", found[0] / 1e6, "MB", limit)
    bench.add("Atoll", "pss-mixture", "memory of a process (PSS), under the mixture", found[1] / 1e6, "MB", limit)
    bench.add("Atoll", "pss-all", "memory of a process (PSS), new texts of all words", found[2] / 1e6, "MB", limit)
    both = _memory(bench, table, "each of two, baked", redis(8), workers=2)
    title = "weights of a second process: part of the first one's memory that it does not take again"
    bench.add("Atoll", "pss-two", "memory of each of two processes (PSS), all words", both[2] / 1e6, "MB", limit)
    bench.add("Atoll", "pss-shared", title, 100 * (1 - (2 * both[3] - found[3]) / found[3]), "%", decimals=0)
    _memory(bench, table, "one, from the registry", redis(9), registered=True)
    bench.table(table)


def _starts(bench: Bench) -> None:
    for registered in (False, True):
        walls, used = [], []
        for _ in range(QUICK_STARTS if bench.quick else STARTS):
            wall_s, cpu_s = _start(bench, registered)
            walls.append(wall_s)
            used.append(cpu_s)
        what = "from the registry" if registered else "baked"
        limit = Reach(1.5, "value")
        title = f"start to first answer, {what}, median of {len(walls)}"
        bench.add("Atoll", f"start-{what.split()[-1]}", title, median(walls), "s", limit, 2)
        bench.add("Atoll", f"start-cpu-{what.split()[-1]}", "CPU until then", median(used), "s", decimals=2)


def _start(bench: Bench, registered: bool) -> tuple[float, float]:
    """Seconds from the start of the process until the large model has answered, and its CPU seconds."""
    began = time.perf_counter()
    server = bench.image.server(registered=registered)
    server.waits = False
    with server:
        while True:
            with contextlib.suppress(NoAnswer, NotMeasured):
                _first(server.port)
                return time.perf_counter() - began, server.cpu_s()
            if time.perf_counter() - began > 60:
                raise NotMeasured("the model did not answer within a minute of the start")
            time.sleep(0.005)


def _first(port: int) -> None:
    with Client(port, timeout_s=10) as client:
        reply = client.post(PATH, b'{"text":["I love this"]}')
    # Until the version of the registry is open another one may answer.
    if reply.status != 200 or reply.version == "box":
        raise NotMeasured(f"{reply.status}, version {reply.version}")


def _memory(bench: Bench, table: Table, name: str, redis: str, *, workers: int = 1, registered: bool = False) -> (
    tuple[float, float, float, float]
):  # fmt: skip
    """Bytes of the largest process: after the first answer, under the mixture, after all words; and its weights."""
    bodies = bench.bodies(mixture.requests(4))
    with bench.image.server(workers=workers, redis=redis, registered=registered) as server:
        pids = server.serving()
        for _ in range(4 * workers):
            _first(server.port)
        time.sleep(0.5)
        first = max(pss_bytes(pids))
        with _largest(pids) as peak:
            load(server.port, bodies, connections=10, seconds=MIXTURE_S)
        mixed = max(peak)
        with _largest(pids) as peak:
            _all_words(bench, server.port, TEXTS * workers)
        every = max(peak)
        parts = [_parts(process.pid) for process in pids]
    largest = max(parts, key=lambda part: sum(part.values()))
    cells = [first, mixed, every, largest["weights"], largest["runtime"], largest["rest"]]
    table.rows.append((name, *(f"{value / 1e6:.0f} MB" for value in cells)))
    return first, mixed, every, largest["weights"]


def _all_words(bench: Bench, port: int, count: int) -> None:
    texts = bench.texts()
    drawn = [texts.of(TOKENS[0] + number % (TOKENS[1] - TOKENS[0])) for number in range(count)]
    bodies = iter([json.dumps({"text": drawn[at : at + TOGETHER]}).encode() for at in range(0, count, TOGETHER)])
    lock = threading.Lock()

    def use() -> None:
        with Client(port, timeout_s=60) as client:
            while True:
                with lock:
                    body = next(bodies, None)
                if body is None:
                    return
                client.post(PATH, body)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def _largest(processes: Sequence[psutil.Process]) -> Iterator[list[int]]:
    """The largest of the processes, again and again; at least once at the end."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLE_S):
            seen.append(max(pss_bytes(processes)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.append(max(pss_bytes(processes)))


def _parts(pid: int) -> dict[str, int]:
    """What the memory of a process is, in bytes."""
    found = {"weights": 0, "runtime": 0, "rest": 0}
    kind = "rest"
    with Path(f"/proc/{pid}/smaps").open(encoding="utf-8") as lines:
        for line in lines:
            if match := _MAPPED.match(line):
                name = match[1]
                kind = "weights" if name.endswith(".weights") else "runtime" if "onnxruntime" in name else "rest"
            elif line.startswith("Pss:"):
                found[kind] += int(line.split()[1]) * 1024
    return found
