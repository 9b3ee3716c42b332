"""Users that ask at a steady rate, each waiting for its answer before it asks again, and every answer noted.

`python -m benchmarks.sentiment.steady` reads `{"port", "requests": [[text, …], …], "users", "seconds", "rate"}` on
stdin, and writes what happened as JSON: a process of its own.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.client import Client, NoAnswer
from benchmarks.report import NotMeasured, percentile
from benchmarks.sentiment.client import PATH
from benchmarks.server import REPOSITORY

_PATIENCE_S = 120.0
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Seen:
    """One request.

    Attributes
    ----------
    at_s : when it was sent, from the beginning.
    status : 0 where there was no answer.
    cache : what `X-Cache` said.
    """

    at_s: float
    took_s: float
    status: int
    cache: str


@dataclass(frozen=True)
class Seconds:
    """Requests by when they were sent: for each stretch how many, the median and the slowest."""

    stretch_s: float
    counts: tuple[int, ...]
    p50_s: tuple[float, ...]
    max_s: tuple[float, ...]

    @classmethod
    def of(cls, seen: Sequence[Seen], stretch_s: float) -> Self:
        groups: dict[int, list[float]] = {}
        for one in seen:
            groups.setdefault(int(one.at_s / stretch_s), []).append(one.took_s)
        rows = [groups.get(number, []) for number in range(max(groups, default=-1) + 1)]
        return cls(
            stretch_s,
            tuple(len(row) for row in rows),
            tuple(percentile(row, 0.5) if row else 0.0 for row in rows),
            tuple(max(row, default=0.0) for row in rows),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def users(port: int, requests: Sequence[Sequence[str]], *, users: int, seconds: float, rate: float) -> list[Seen]:
    """Ask for a time; the answers in the order in which the requests were sent.

    Parameters
    ----------
    rate : requests a second, of all users together; less where answers are late.
    """
    return Running(port, requests, users=users, seconds=seconds, rate=rate).ended()


class Running:
    """Users that ask in the background, from now on."""

    def __init__(
        self, port: int, requests: Sequence[Sequence[str]], *, users: int, seconds: float, rate: float
    ) -> None:
        job = {"port": port, "requests": requests, "users": users, "seconds": seconds, "rate": rate}
        self._limit_s = seconds + _PATIENCE_S
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sentiment.steady"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job))
        self._process.stdin.close()
        if self._process.stdout.readline() != "ready\n":
            raise NotMeasured("the users did not begin")
        self.began_s = time.monotonic()

    def ended(self) -> list[Seen]:
        """Wait for the end."""
        assert self._process.stdout is not None
        try:
            written = self._process.stdout.read()
            self._process.wait(self._limit_s)
        finally:
            self._process.kill()
            self._process.wait()
        return sorted((Seen(*row) for row in json.loads(written)), key=lambda one: one.at_s)


def main() -> None:
    job = json.load(sys.stdin)
    requests = iter([json.dumps({"text": texts}).encode() for texts in job["requests"]])
    lock = threading.Lock()
    found: list[tuple[float, float, int, str]] = []
    print("ready", flush=True)
    began = time.monotonic()
    until, each_s = began + job["seconds"], job["users"] / job["rate"]

    def use(number: int) -> None:
        beat = began + each_s * number / job["users"]
        with Client(job["port"], timeout_s=_TIMEOUT_S) as client:
            while (now := time.monotonic()) < until:
                if beat > now:
                    time.sleep(beat - now)
                # Late answers are not made up for.
                beat = max(beat + each_s, time.monotonic())
                with lock:
                    body = next(requests)
                sent = time.monotonic()
                try:
                    reply = client.post(PATH, body)
                    status, cache = reply.status, reply.cache
                except NoAnswer:
                    status, cache = 0, ""
                found.append((sent - began, time.monotonic() - sent, status, cache))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(job["users"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
