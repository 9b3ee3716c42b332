"""Accepting jobs over HTTP: POST with `Prefer: respond-async` to 202, at a fixed rate, while the jobs run."""

import threading
import time
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

from benchmarks.client import Client, NoAnswer
from benchmarks.jobs.atoll import PREDICT
from benchmarks.report import NotMeasured
from common.database import Database
from common.jobs.tables import jobs

RATE = 50.0
_CONNECTIONS = 10
_DRAIN_S = 60.0


@dataclass
class Accepted:
    """Seconds from the moment a request was due to its 202; what went wrong instead."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def measure(port: int, for_s: float) -> Accepted:
    """Send `RATE` requests a second. One that has to wait for a connection is timed from when it was due, so that a
    slow server cannot hide by keeping requests from being sent.
    """
    found = Accepted()
    numbers = iter(range(int(RATE * for_s)))
    lock = threading.Lock()
    started = time.perf_counter() + 0.5

    def send() -> None:
        with Client(port, timeout_s=30) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                due = started + number / RATE
                time.sleep(max(0.0, due - time.perf_counter()))
                body = orjson.dumps({"marks": "", "sent": time.time()})
                try:
                    reply = client.post(PREDICT, body, headers={"Prefer": "respond-async"})
                except NoAnswer as exc:
                    found.errors.append(str(exc))
                    continue
                if reply.status == 202:
                    found.seconds.append(time.perf_counter() - due)
                else:
                    found.errors.append(f"{reply.status} {reply.body[:200]!r}")

    threads = [threading.Thread(target=send) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def waits_s(database: Database) -> list[float]:
    """Seconds from queued to running of all jobs, when they have ended."""
    query = sa.select(jobs.c.queued_at, jobs.c.started_at, jobs.c.finished_at).order_by(jobs.c.id)
    until = time.monotonic() + _DRAIN_S
    while True:
        rows = database.read(lambda c: c.execute(query).all())
        if all(row.finished_at is not None for row in rows):
            return [(row.started_at - row.queued_at).total_seconds() for row in rows]
        if time.monotonic() > until:
            raise NotMeasured("not all jobs ended")
        time.sleep(0.5)
