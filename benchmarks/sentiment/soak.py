"""Hours in minutes: the mixture for long, and the memory of the processes each minute."""

from collections.abc import Callable

from benchmarks.client import one_for_each
from benchmarks.load import probing
from benchmarks.report import Reach, percentile
from benchmarks.sentiment import mixture
from benchmarks.sentiment.bench import Bench, Table, median, pss_bytes
from benchmarks.sentiment.client import load
from benchmarks.sentiment.crowd import USERS, WORKERS

_MINUTE_S = 60
_LIMIT_MB = 5
_HEAD = ("minute", "requests", "req/s", "p50", "p99", "slowest", "health p99", "errors", "PSS", "RSS")


def measure(bench: Bench, redis: Callable[[int], str], seconds: int) -> None:
    """A row for each minute; flat is less than 5 MB from the second one to the last."""
    table = Table(f"{USERS} users with the mixture for {seconds / 60:g} minutes, {WORKERS} processes:", _HEAD)
    bodies = bench.bodies(mixture.requests(6))
    errors, memory, failed = 0, list[float](), 0
    with bench.image.server(workers=WORKERS, redis=redis(10)) as server:
        serving = server.serving()
        pids = [process.pid for process in serving]
        for client in one_for_each(server.port, pids).values():
            client.__exit__(None, None, None)
        for number in range(max(1, seconds // _MINUTE_S)):
            with probing(server.port, pids) as seen:
                found = load(server.port, bodies, connections=USERS, seconds=min(seconds, _MINUTE_S))
            pss, rss = sum(pss_bytes(serving)), sum(process.memory_info().rss for process in serving)
            errors += found.errors
            failed += len(seen.errors)
            memory.append(pss / 1e6)
            times = (found.p50_s, found.p99_s, found.max_s, percentile(seen.seconds, 0.99))
            cells = (
                str(number + 1),
                f"{found.requests:,}",
                f"{found.rate:,.0f}",
                *(f"{value * 1000:.1f} ms" for value in times),
                str(found.errors + len(seen.errors)),
                f"{pss / 1e6:.1f} MB",
                f"{rss / 1e6:.1f} MB",
            )
            table.rows.append(cells)
            print("  " + "  ".join(cells), flush=True)
    bench.table(table)
    bench.add("Atoll", "soak-errors", "failed requests and probes", errors + failed, "", Reach(0, "value"))
    rest = memory[1:] or memory
    grown = median(rest[-2:]) - median(rest[:2])
    title = "growth of the memory of both processes (PSS), from the second minute to the last"
    bench.add("Atoll", "soak-memory", title, grown, "MB", Reach(_LIMIT_MB, "value"), 1)
