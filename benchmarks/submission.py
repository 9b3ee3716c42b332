"""Measures tasks on the lab's Slurm: accepting them, handing them over by one SSH connection, and following 1,000.

All jobs are held in Slurm's queue (`--hold`), so that none of them takes CPU from what is measured; they are cancelled
in the end. Slurm, sshd, the server and the client share one machine.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.client import Client
from benchmarks.report import Fact, NotMeasured, Reach, Report, percentile
from benchmarks.server import Server
from benchmarks.submission_peers import Score, cancel, ssh_loop, submitit_loop
from common.client.programs import multipart
from tests.support.slurm_lab import SlurmLab, slurm_lab

CLUSTER = "lab"
PROGRAM = b"print('hello')\n"
WARM_UP = 5
ROUNDS = 5
_LIMIT_S = 240.0


@dataclass
class Bench:
    """What the parts share."""

    report: Report
    lab: SlurmLab
    folder: Path
    accept: int
    tasks: int
    peers: int
    scores: list[Score] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def add(
        self, name: str, title: str, value: float, unit: str, reach: Reach | None = None, decimals: int = 1
    ) -> None:
        self.report.add(Fact("Slurm", name, title, value, unit, reach, "", decimals))

    @property
    def clusters_file(self) -> Path:
        file = self.folder / "clusters.toml"
        section = self.lab.ssh_section(options={"hold": ""})
        lines = [f"[{section.pop('name')}]"]
        for name, value in section.items():
            told = "{ hold = '' }" if name == "options" else json.dumps(value)
            lines.append(f"{name} = {told}")
        file.write_text("\n".join(lines) + "\n")
        return file


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.submission", description=__doc__)
    parser.add_argument("--accept", type=int, default=100, help="submissions over HTTP")
    parser.add_argument("--tasks", type=int, default=1000, help="live tasks")
    parser.add_argument("--peers", type=int, default=50, help="submissions of each peer")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a reach is missed")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="atoll-benchmark-"))
    report = Report(machine.facts())
    try:
        with slurm_lab() as lab, lab.shared():
            bench = Bench(report, lab, folder, given.accept, given.tasks, given.peers)
            parts: list[tuple[str, Callable[[Bench], None]]] = [
                ("accepting over HTTP", _accept),
                ("handing over and following", _in_process),
                ("ssh and sbatch", lambda bench: _peer(bench, ssh_loop)),
                ("submitit", lambda bench: _peer(bench, submitit_loop)),
            ]
            try:
                for what, part in parts:
                    print(what, flush=True)
                    try:
                        part(bench)
                    except (NotMeasured, OSError) as exc:
                        report.fail(what, exc)
            finally:
                cancel(lab, bench.jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = f"{report.markdown()}\n{table(bench.scores)}"
    print(f"\n{text}")
    if given.json:
        told = report.as_json() | {"scores": [asdict(score) | {"jobs": None} for score in bench.scores]}
        given.json.write_text(json.dumps(told, indent=1))
    if given.markdown:
        given.markdown.write_text(text)
    return 1 if given.strict and report.missed else 0


def table(scores: Sequence[Score]) -> str:
    """Each way beside the first, which is Atoll's."""
    if not scores:
        return ""
    first = scores[0]
    head = "| handing jobs to Slurm | jobs | a second | beside Atoll | CPU each | beside Atoll |"
    rows = [
        f"| {one.name} | {one.count:,} | {one.rate:.1f} | {one.rate / first.rate:.2f} "
        f"| {one.cpu_ms:.1f} ms | {one.cpu_ms / first.cpu_ms:.2f} |"
        for one in scores
    ]
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|", *rows]) + "\n"


def _accept(bench: Bench) -> None:
    """One client, one after the other, while the server's own worker hands over what was accepted."""
    settings = {"CLUSTERS_FILE": str(bench.clusters_file), "SERVICE_MODEL": "sample"}
    state = bench.folder / "server"
    state.mkdir()
    body, content_type = multipart({"cluster": CLUSTER, "name": "bench"}, "hello.py", PROGRAM)
    with Server(state, state, settings=settings) as server, Client(server.port) as client:

        def submit() -> float:
            reply = client.post("/tasks", body, headers={"Content-Type": content_type})
            if reply.status != 202:
                raise NotMeasured(f"POST /tasks answered {reply.status}: {reply.body[:200]!r}")
            return reply.took_s

        for _ in range(WARM_UP):
            submit()
        _wait(lambda: len(_handed(client)) >= WARM_UP, "the first tasks are handed over")
        began_s = time.perf_counter()
        seconds = [submit() for _ in range(bench.accept)]
        accepted_s = time.perf_counter() - began_s
        _wait(lambda: len(_handed(client)) >= WARM_UP + bench.accept, "all tasks are handed over")
        handed_s = time.perf_counter() - began_s
        bench.jobs += _handed(client)
    title = f"POST /tasks to 202, {bench.accept} while they are handed over"
    bench.add("accept-p50", f"{title}, p50", percentile(seconds, 0.5) * 1000, "ms")
    bench.add("accept-p99", f"{title}, p99", percentile(seconds, 0.99) * 1000, "ms", Reach(50, "value"))
    bench.add("accept-rate", "accepted a second by one client", bench.accept / accepted_s, "/s")
    bench.add("served-rate", "from the first POST to the last job in Slurm", bench.accept / handed_s, "/s")


def _handed(client: Client) -> list[str]:
    """Slurm's numbers of the tasks that it has."""
    found = client.get("/tasks?limit=500").json()["tasks"]
    return [task["cluster_job_id"] for task in found if task["cluster_job_id"]]


def _in_process(bench: Bench) -> None:
    """The parts of a server in this process: its queue, its worker and its reconciler, with one SSH connection."""
    with _runtime(bench) as runtime:
        tasks, jobs = runtime.tasks, runtime.jobs
        calls = _counting(tasks.clusters.get(CLUSTER))
        from common.submission.spec import TaskSpec

        spec = TaskSpec(name="bench", cluster=CLUSTER, entry_point="hello.py")
        program = tasks.blobs.put(PROGRAM)
        for _ in range(bench.tasks):
            tasks.service.submit(spec, program, owner="bench")
        worker = jobs.submission_worker()
        thread = threading.Thread(target=worker.run, daemon=True)
        began_s, used_s, called = time.perf_counter(), time.process_time(), len(calls)
        thread.start()
        _wait(lambda: _counted(tasks.store) >= bench.tasks, "all tasks are handed over")
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - used_s
        worker.stop()
        thread.join()
        followed = tasks.store.followed(CLUSTER)
        bench.jobs += [one.task.cluster_job_id for one in followed if one.task.cluster_job_id]
        bench.scores.append(Score("Atoll, one SSH connection", bench.tasks, took_s, cpu_s))
        rate = bench.tasks / took_s
        bench.add(
            "handed-rate", "handed to Slurm over one SSH connection", rate, "/s", Reach(20, "value", at_least=True)
        )
        bench.add("handed-calls", "remote commands for each", (len(calls) - called) / bench.tasks, "", None, 2)
        _reconcile(bench, tasks, calls)


def _reconcile(bench: Bench, tasks: Any, calls: list[str]) -> None:
    rounds = []
    for _ in range(ROUNDS):
        called, used_s, began_s = len(calls), time.process_time(), time.perf_counter()
        outcome = tasks.reconciler.reconcile(CLUSTER)
        rounds.append((time.perf_counter() - began_s, time.process_time() - used_s, len(calls) - called))
        if outcome != "done":
            raise NotMeasured(f"a round of the reconciler ended as {outcome}")
    title = f"a round over {bench.tasks:,} live tasks"
    bench.add("round", f"{title}, the slowest of {ROUNDS}", max(one[0] for one in rounds), "s", Reach(2, "value"), 2)
    bench.add("round-median", f"{title}, median", sorted(one[0] for one in rounds)[ROUNDS // 2], "s", None, 2)
    bench.add("round-cpu", f"{title}, CPU of Atoll", max(one[1] for one in rounds), "s", None, 2)
    bench.add("round-calls", f"{title}, calls to the cluster", max(one[2] for one in rounds), "", Reach(1, "value"), 0)


def _peer(bench: Bench, measure: Callable[[SlurmLab, int], Score]) -> None:
    score = measure(bench.lab, bench.peers)
    bench.jobs += score.jobs
    bench.scores.append(score)
    print(f"  {score.name}: {score.rate:.1f}/s, {score.cpu_ms:.1f} ms of CPU each", flush=True)


@contextmanager
def _runtime(bench: Bench) -> Iterator[Any]:
    """What a server holds, without its threads."""
    os.environ |= {
        "ATOLL_STATE": str(bench.folder / "process"),
        "CLUSTERS_FILE": str(bench.clusters_file),
        "SERVICE_MODEL": "sample",
        "LOG_LEVEL": "CRITICAL",
    }
    from common.app import create_app
    from common.settings import Settings, TelemetrySettings

    runtime = create_app(Settings(telemetry=TelemetrySettings(level="CRITICAL"))).state.runtime
    try:
        yield runtime
    finally:
        runtime.stop()


def _counting(runner: Any) -> list[str]:
    """The remote commands that a runner sends from now on."""
    from common.submission.runners.slurm.ssh.connection import Connection

    calls: list[str] = []
    begin = Connection._begin

    async def counted(connection: Any, command: str) -> Any:
        calls.append(command[:20])
        return await begin(connection, command)

    # Every remote command passes there, so it is counted there and nowhere else.
    Connection._begin = counted  # type: ignore[method-assign, assignment]  # a method, replaced to be counted
    runner.info()
    return calls


def _counted(store: Any) -> int:
    from common.submission.states import TaskState

    return int(store.live_counts().get((CLUSTER, TaskState.PENDING), 0))


def _wait(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > until_s:
            raise NotMeasured(f"waited {_LIMIT_S:.0f} s in vain until {what}")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
