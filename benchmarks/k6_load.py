"""The load of `deployment/k6/load.js` on a warm Atoll with Redis, watched by Prometheus: a table and pictures.

`python -m benchmarks.k6_load --duration 10m` (`make bench-load`) needs redis-server, prometheus, and k6 or, where it is
absent, the stand-in for it in `../shared/lab`; the table says which. It writes into `build/load`:

- `load.md`: requests, rate, percentiles, errors, cache hits, CPU of each request, and whether the limits held;
- `load.svg`: response times over the run; `dashboard-*.svg`: Grafana's dashboards from Prometheus' data of the run;
- `k6.json` and `k6.log`: the summary and the samples that these were made from.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine, response_times
from benchmarks.client import Client
from benchmarks.dashboards.__main__ import draw_all
from benchmarks.dashboards.picture import Span
from benchmarks.dashboards.prometheus import Prometheus
from benchmarks.report import NotMeasured, percentile
from benchmarks.server import REPOSITORY, Server
from tests.support.backends import Missing
from tests.support.prometheus_server import PrometheusServer
from tests.support.redis_server import RedisServer

SCRIPT = REPOSITORY / "deployment" / "k6" / "load.js"
STAND_IN = REPOSITORY.parent / "shared" / "lab" / "k6" / "run.sh"
PATH = "/project/bulk-predict"
# Jobs and clusters have nothing to show in this load.
DASHBOARDS = ["service", "models"]
SCRAPE_S = 2.0
_LIMITS_BROKEN = 99


@dataclass(frozen=True)
class Outcome:
    """What one run did.

    Attributes
    ----------
    began_s, ended_s : seconds since 1970.
    summary : k6's metrics by name.
    client_cpu_s, server_cpu_s : of all their processes, without Redis and Prometheus.
    memory_bytes : of all processes of the server at the end, each page counted for each.
    """

    samples: list[response_times.Sample]
    summary: dict[str, Any]
    held: bool
    began_s: float
    ended_s: float
    client_cpu_s: float
    server_cpu_s: float
    memory_bytes: int

    def share(self, rate: str) -> float:
        """Of a rate of k6: 0 to 1."""
        found = _values(self.summary, rate)
        return float(found.get("rate", found.get("value", 0.0)))

    def row(self) -> dict[str, str]:
        took = [sample.took_s for sample in self.samples]
        count, length_s = len(took), self.ended_s - self.began_s
        return {
            "requests": f"{count:,}",
            "rate": f"{count / length_s:,.0f}/s",
            **{f"p{int(share * 100)}": f"{percentile(took, share) * 1000:.1f} ms" for share in (0.5, 0.95, 0.99)},
            "slowest": f"{max(took) * 1000:.0f} ms",
            "errors": f"{sum(not sample.good for sample in self.samples):,}",
            "wholly from the cache": f"{self.share('cached'):.1%}",
            "CPU of a request": f"{self.server_cpu_s / count * 1000:.2f} ms",
            "CPU of its user": f"{self.client_cpu_s / count * 1000:.2f} ms",
            "memory": f"{self.memory_bytes / 1e6:.0f} MB",
            "limits": "held" if self.held else "**broken**",
        }


def run(variables: Mapping[str, str], folder: Path, workers: int) -> Outcome:
    """Start everything, load it, and draw the dashboards.

    Raises
    ------
    Missing, NotMeasured
    """
    with ExitStack() as stack:
        redis, prometheus = RedisServer(), PrometheusServer()
        stack.callback(redis.close)
        stack.callback(prometheus.close)
        redis.start()
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atoll-load-")))
        settings = {"SERVICE_MODEL": "sentiment", "REDIS_URL": redis.url}
        server = stack.enter_context(Server(state, state, workers=workers, settings=settings))
        prometheus.start({"atoll": [f"http://127.0.0.1:{server.port}"]}, interval_s=SCRAPE_S)
        _warm(server.port, workers)
        outcome = _load(server, variables, folder)
        with Prometheus(prometheus.url) as asked:
            draw_all(DASHBOARDS, asked, Span(outcome.began_s, outcome.ended_s, SCRAPE_S), folder)
    return outcome


def _warm(port: int, workers: int) -> None:
    """Each process has to have answered once; connections fell to one of them at random."""
    for number in range(8 * workers):
        with Client(port) as client:
            reply = client.post(PATH, json.dumps({"text": [f"warm {number}"]}).encode())
        if reply.status != 200:
            raise NotMeasured(f"{PATH} answered {reply.status}")


def _load(server: Server, variables: Mapping[str, str], folder: Path) -> Outcome:
    summary, log = folder / "k6.json", folder / "k6.log"
    given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    given += ["-e", f"BASE_URL=http://127.0.0.1:{server.port}", "-e", "SAMPLES=1"]
    client_cpu_s, server_cpu_s, began_s = _children_cpu_s(), server.cpu_s(), time.time()
    with log.open("w") as out:
        done = subprocess.run(
            [*_tool(summary), *given],
            env=os.environ | {"LAB_SUMMARY": str(summary)},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    ended_s, server_cpu_s = time.time(), server.cpu_s() - server_cpu_s
    if done.returncode not in (0, _LIMITS_BROKEN):
        raise NotMeasured(f"k6 ended with {done.returncode}: {log.read_text()[-1000:]}")
    samples = response_times.read(log.read_text().splitlines())
    told = json.loads(summary.read_text())["metrics"]
    counted = _values(told, "http_reqs")["count"]
    if counted != len(samples):
        raise NotMeasured(f"k6 counted {counted} requests, and its log has {len(samples)}")
    return Outcome(
        samples,
        told,
        done.returncode == 0,
        # From the first request to the last: scripts are checked and read before.
        max(began_s, samples[0].began_s),
        min(ended_s, max(sample.began_s + sample.took_s for sample in samples)),
        _children_cpu_s() - client_cpu_s,
        server_cpu_s,
        sum(process.memory_info().rss for process in server.serving()),
    )


def _values(summary: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """Of one of k6's metrics; k6 and its stand-in write them in two ways."""
    found: Mapping[str, Any] = summary[metric]
    values: Mapping[str, Any] = found.get("values", found)
    return values


def _tool(summary: Path) -> list[str]:
    if program := shutil.which("k6"):
        return [program, "run", str(SCRIPT), f"--summary-export={summary}"]
    if STAND_IN.exists():
        return [str(STAND_IN), str(SCRIPT)]
    raise NotMeasured("there is neither k6 on PATH nor its stand-in in ../shared/lab")


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def markdown(outcome: Outcome, told: Mapping[str, str]) -> str:
    """The facts of the run as a list, and its figures as a table."""
    row = outcome.row()
    facts = "\n".join(f"- {name}: {value}" for name, value in (machine.facts() | dict(told)).items())
    head, rule, cells = " | ".join(row), " | ".join("---:" for _ in row), " | ".join(row.values())
    return f"{facts}\n\n| {head} |\n| {rule} |\n| {cells} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.k6_load", description="Loads Atoll by deployment/k6/load.js, and draws what came of it."
    )
    parser.add_argument("--duration", default="10m", help="as k6 takes it: 30s, 10m (10m)")
    parser.add_argument("--users", type=int, default=10, help="users at once (10)")
    parser.add_argument("--cache-rate", type=float, default=0.95, help="share of the same three sentences (0.95)")
    parser.add_argument("--unique", action="store_true", help="the other sentences are new each time")
    parser.add_argument("--workers", type=int, default=1, help="processes of Atoll (1)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "load", metavar="FOLDER")
    given = parser.parse_args()
    variables = {"DURATION": given.duration, "USERS": str(given.users), "CACHE_RATE": str(given.cache_rate)}
    variables |= {"UNIQUE": "1"} if given.unique else {}
    given.output.mkdir(parents=True, exist_ok=True)
    tool = "k6" if shutil.which("k6") else "a stand-in for k6, whose client adds about a millisecond"
    told = {"load": " ".join(f"{name}={value}" for name, value in variables.items()), "by": tool}
    try:
        outcome = run(variables, given.output, given.workers)
    except (Missing, NotMeasured, ValueError) as exc:
        sys.exit(f"not measured: {exc}")
    text = markdown(outcome, told | {"processes of Atoll": str(given.workers)})
    (given.output / "load.md").write_text(text)
    title = f"load.js: {given.users} users, {given.duration}"
    (given.output / "load.svg").write_text(response_times.draw(outcome.samples, title))
    print(text)


if __name__ == "__main__":
    main()
