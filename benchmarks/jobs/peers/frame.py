"""The command line that all peers share."""

import json
import os
import sys
import time
from collections.abc import Callable

CONCURRENCY = 2
URL = os.environ.get("BENCH_URL", "")

# Sends one job: the file for the mark, the time of sending, how long to sleep.
Send = Callable[[str, float, float], object]


def main(worker: Callable[[], object], send: Send, prepare: Callable[[], object] = lambda: None) -> None:
    command = sys.argv[1]
    if command == "prepare":
        prepare()
    elif command == "worker":
        worker()
    elif command == "enqueue":
        json.dump(send_all(send, json.load(sys.stdin)), sys.stdout)


def send_all(send: Send, wanted: dict[str, object]) -> list[float]:
    """Seconds that each sending took. `gaps_s` are the pauses after each, so there are as many jobs as gaps."""
    marks, sleep_s = str(wanted["marks"]), float(str(wanted["sleep_s"]))
    gaps_s = wanted["gaps_s"]
    assert isinstance(gaps_s, list)
    took: list[float] = []
    for gap_s in gaps_s:
        before = time.perf_counter()
        send(marks, time.time(), sleep_s)
        took.append(time.perf_counter() - before)
        if gap_s:
            time.sleep(gap_s)
    return took
