"""200 models of which few fit into memory, asked for as popularity goes: memory, errors, what loads do to the rest.

Two models are asked for by callers of their own all the time, so that they are never put out: how long they take is
measured alone first, and then while others are loaded and put out beside them.
"""

import asyncio
import random
import threading
import time
from collections import Counter

import psutil

from benchmarks.client import Client
from benchmarks.hosted.atoll import Caller, metric, serving
from benchmarks.hosted.bench import Bench
from benchmarks.hosted.files import Shelf, marked
from benchmarks.report import Fact, Reach, percentile

MODELS, BUDGET_BYTES = 200, 256_000_000
# On average three MB: the whole takes more than twice the budget.
_SIZES = (500_000, 1_000_000, 2_000_000, 8_000_000)
_EXPONENT, _CALLERS, _HOT, _WARM_S = 1.0, 6, 2, 2
# An interpreter with its libraries; the rest is what the budget allows.
_MOST_P99 = 2.0


def measure(bench: Bench) -> None:
    state = bench.folder()
    shelf = Shelf(state)
    models = 40 if bench.is_quick else MODELS
    budget = BUDGET_BYTES * models // MODELS
    for number in range(models):
        path = marked(state / "made.onnx", number, _SIZES[number % len(_SIZES)])
        shelf.publish(f"m{number}", path)
    seconds = bench.seconds * (2 if bench.is_quick else 10)
    with serving(bench, state, MODEL_POOL_BYTES=str(budget)) as server:
        process = server.serving()[0]
        asyncio.run(_hot_alone(server.port, _WARM_S))
        alone = asyncio.run(_hot_alone(server.port, seconds))
        before_bytes = process.memory_info().rss
        watched = _Watched(process)
        watched.start()
        hot, others, statuses = asyncio.run(_zipf(server.port, models, seconds))
        most_bytes = watched.end()
        with Client(server.port) as client:
            told = client.get("/metrics").body.decode()
    evicted, loads = metric(told, "atoll_model_pool_evictions_total"), metric(told, "atoll_model_pool_loads_total")
    title = f"{models} models, {budget / 1e6:.0f} MB"
    wrong = sum(count for status, count in statuses.items() if status not in (200, 503))
    p99 = percentile(hot, 0.99) * 1e3, percentile(alone, 0.99) * 1e3
    bench.report.add(
        Fact(title, "requests", "requests", len(others)),
        Fact(title, "loads", "loads", loads),
        Fact(title, "evicted", "put out", evicted, "", Reach(1, "value", at_least=True)),
        Fact(title, "errors", "answers that are neither 200 nor 503", wrong, "", Reach(0, "value")),
        Fact(title, "refused", "answers 503", statuses[503]),
        Fact(title, "grown", "memory of the process grew by at most", (most_bytes - before_bytes) / 1e6, "MB"),
        Fact(title, "p99-alone", "p99 of hits, with no loads", p99[1], "ms", decimals=2),
        Fact(title, "p99-loads", "p99 of hits, beside loads", p99[0], "ms", decimals=2),
        Fact(title, "p99", "p99 beside loads, by that without", p99[0] / p99[1], "x", Reach(_MOST_P99), decimals=2),
        Fact(title, "p99-all", "p99 of all, loads among them", percentile(others, 0.99) * 1e3, "ms", decimals=1),
    )


async def _hot_alone(port: int, seconds: float) -> list[float]:
    """Seconds of each request where hot models are asked for, by as many callers as later."""
    end_s = time.perf_counter() + seconds
    taken: list[float] = []
    await asyncio.gather(*(_hot(port, number % _HOT, end_s, taken) for number in range(_HOT + _CALLERS)))
    return taken


async def _zipf(port: int, models: int, seconds: float) -> tuple[list[float], list[float], Counter[int]]:
    end_s = time.perf_counter() + seconds
    hot: list[float] = []
    others: list[float] = []
    statuses: Counter[int] = Counter()
    weights = [1 / (rank + 1) ** _EXPONENT for rank in range(models)]

    async def caller(seed: int) -> None:
        chosen = random.Random(seed)
        async with Caller(port) as asking:
            while time.perf_counter() < end_s:
                number = chosen.choices(range(models), weights)[0]
                status, _, took_s = await asking.infer(f"hosted.m{number}")
                statuses[status] += 1
                others.append(took_s)

    await asyncio.gather(
        *(_hot(port, number, end_s, hot) for number in range(_HOT)), *(caller(seed) for seed in range(_CALLERS))
    )
    return hot, others, statuses


async def _hot(port: int, number: int, end_s: float, taken: list[float]) -> None:
    async with Caller(port) as asking:
        while time.perf_counter() < end_s:
            status, _, took_s = await asking.infer(f"hosted.m{number}")
            if status == 200:
                taken.append(took_s)


class _Watched:
    """The most memory that a process held."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._most = 0
        self._thread = threading.Thread(target=self._look)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self._most = max(self._most, self._process.memory_info().rss)
