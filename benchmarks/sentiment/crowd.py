"""10 users with the mixture of the old load test, on two processes; clients and Redis on the same CPUs."""

import time
from collections.abc import Callable

from benchmarks.client import one_for_each
from benchmarks.jobs.worker import cpu_s
from benchmarks.load import probing
from benchmarks.prober import Seen
from benchmarks.report import NotMeasured, Reach, percentile
from benchmarks.sentiment import mixture
from benchmarks.sentiment.bench import Bench, Table, median, pss_bytes
from benchmarks.sentiment.client import Load, load
from benchmarks.sentiment.contest import PIPELINE, pipeline
from benchmarks.sentiment.steady import Seconds, users

USERS, WORKERS = 10, 2
ROUNDS, SECONDS, PEER_SECONDS = 3, 8, 8
_COLD_S, _COLD_RATE = 4.0, 300.0
_HEAD = ("server", "req/s", "p50", "p99", "health p50", "health p99", "CPU a request", "PSS, all processes", "errors")


def measure(bench: Bench, redis: Callable[[int], str]) -> None:
    """Atoll, then the pipeline, then Atoll with nothing kept."""
    seconds = 2 if bench.quick else SECONDS
    table = Table(f"{USERS} users, the mixture of the old load test; Atoll in {WORKERS} processes:", _HEAD)
    bodies = bench.bodies(mixture.requests(1))
    with bench.image.server(workers=WORKERS, redis=redis(4)) as server:
        pids = [process.pid for process in server.serving()]
        for client in one_for_each(server.port, pids).values():
            client.__exit__(None, None, None)
        load(server.port, bodies, connections=USERS, seconds=1)
        runs: list[tuple[Load, float]] = []
        health = Seen()
        for _ in range(1 if bench.quick else ROUNDS):
            with probing(server.port, pids) as seen:
                before = server.cpu_s()
                found = load(server.port, bodies, connections=USERS, seconds=seconds)
                runs.append((found, (server.cpu_s() - before) / max(1, found.requests)))
            health.seconds += seen.seconds
            health.errors += seen.errors
        pss = sum(pss_bytes(server.serving()))
    rate, slow = median([found.rate for found, _ in runs]), median([found.p99_s for found, _ in runs])
    each_s = median([cpu for _, cpu in runs])
    errors = sum(found.errors for found, _ in runs)
    beat = percentile(health.seconds, 0.99)
    half = median([found.p50_s for found, _ in runs])
    table.rows.append(_row("Atoll", rate, (half, slow), health.seconds, (each_s, pss), errors))
    title = f"{USERS} users, mixture"
    bench.add("Atoll", "mixture-rate", f"{title}, requests a second", rate, "/s", Reach(2500, "value", at_least=True))
    bench.add("Atoll", "mixture-p99", f"{title}, p99", slow * 1000, "ms", Reach(15, "value"), 1)
    bench.add("Atoll", "mixture-health", f"{title}, health p99", beat * 1000, "ms", Reach(20, "value"), 1)
    bench.add("Atoll", "mixture-cpu", f"{title}, CPU of the server for a request", each_s * 1e6, "µs")
    bench.add(
        "Atoll", "mixture-errors", f"{title}, failed requests and probes", errors + len(health.errors), "",
        Reach(0, "value"),
    )  # fmt: skip
    _cold(bench, redis)
    try:
        table.rows.append(_peer(bench, redis, 2 if bench.quick else PEER_SECONDS))
    except NotMeasured as exc:
        bench.report.fail("the mixture through the pipeline", exc)
    bench.table(table)


def _peer(bench: Bench, redis: Callable[[int], str], seconds: int) -> tuple[str, ...]:
    bodies = bench.bodies(mixture.requests(2))
    with pipeline(bench, redis(5)) as server:
        pids = [server.processes()[0].pid]
        load(server.port, bodies, connections=USERS, seconds=1)
        time.sleep(2)
        with probing(server.port, pids) as seen:
            before = cpu_s(server.processes())
            found = load(server.port, bodies, connections=USERS, seconds=seconds, first=10_000)
            used_s = (cpu_s(server.processes()) - before) / max(1, found.requests)
        pss = sum(pss_bytes(server.processes()))
    return _row(PIPELINE, found.rate, (found.p50_s, found.p99_s), seen.seconds, (used_s, pss), found.errors)


def _row(
    name: str,
    rate: float,
    times_s: tuple[float, float],
    health_s: list[float],
    cost: tuple[float, float],
    errors: int,
) -> tuple[str, ...]:
    shown = [*times_s, percentile(health_s, 0.5), percentile(health_s, 0.99)]
    each_s, pss = cost
    return (
        name,
        f"{rate:,.0f}",
        *(f"{value * 1000:,.1f} ms" for value in shown),
        f"{each_s * 1e6:,.0f} µs",
        f"{pss / 1e6:.0f} MB",
        str(errors),
    )


def _cold(bench: Bench, redis: Callable[[int], str]) -> None:
    """New processes and an empty Redis: how long until all is answered from the cache."""
    requests = mixture.requests(3, 5000)
    with bench.image.server(workers=WORKERS, redis=redis(6)) as server:
        for client in one_for_each(server.port, [process.pid for process in server.serving()]).values():
            client.__exit__(None, None, None)
        found = users(server.port, requests, users=USERS, seconds=_COLD_S, rate=_COLD_RATE)
    misses = [one.at_s + one.took_s for one in found if one.cache != "hit"]
    title = "a cold cache: until all is answered from it again"
    bench.add("Atoll", "cold", title, max(misses, default=0.0) * 1000, "ms", Reach(1000, "value"))
    slowest = max(one.took_s for one in found) * 1000
    bench.add("Atoll", "cold-max", "the slowest answer meanwhile", slowest, "ms")
    bench.details["cold"] = Seconds.of(found, 0.25).as_json()
