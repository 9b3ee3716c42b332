"""Users that each wait for their answer before they ask again; a process of its own, started by `benchmarks.load`.

Reads `{"port", "requests": [[body, …], …]}` on stdin, one list a user, and writes what happened to stdout as JSON.
"""

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

from benchmarks.client import PREDICT, Client, NoAnswer


@dataclass
class Outcome:
    """What all users saw together."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def run(port: int, requests: list[list[bytes]]) -> Outcome:
    outcome = Outcome()
    start = threading.Barrier(len(requests) + 1)
    users = [threading.Thread(target=_use, args=(port, bodies, start, outcome)) for bodies in requests]
    for user in users:
        user.start()
    start.wait()
    started, cpu = time.perf_counter(), time.process_time()
    for user in users:
        user.join()
    outcome.wall_s, outcome.cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return outcome


def _use(port: int, bodies: list[bytes], start: threading.Barrier, outcome: Outcome) -> None:
    with Client(port, timeout_s=120) as client:
        start.wait()
        for body in bodies:
            try:
                reply = client.post(PREDICT, body)
            except NoAnswer as exc:
                outcome.errors.append(str(exc))
                continue
            if reply.status == 200:
                outcome.seconds.append(reply.took_s)
            else:
                outcome.errors.append(f"{reply.status} {reply.body[:200]!r} for {body!r}")


def main() -> None:
    job = json.load(sys.stdin)
    requests = [[body.encode() for body in bodies] for bodies in job["requests"]]
    json.dump(asdict(run(job["port"], requests)), sys.stdout)


if __name__ == "__main__":
    main()
