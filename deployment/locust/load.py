"""The load of `deployment/k6/load.js` for Locust: 95 of 100 requests ask for the sentiment of the same three sentences.

    locust -f deployment/locust/load.py --headless --users 10 --spawn-rate 10 --run-time 10m --host http://127.0.0.1:7071

`CACHE_RATE` (0.95), `UNIQUE=1`, `PATH_ASKED` (/project/bulk-predict) and `ATOLL_KEY` are as there. `SAMPLES=FILE`
writes each request as JMeter would, for `benchmarks.response_times`. The exit code is 1 where one of the limits is
missed: p99 below 2 s, 10 requests a second, no error.
"""

import itertools
import logging
import os
import random
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, events, task

SAME = ["I love you!", "I hate you!", "I am a Kubernetes Cluster!"]
OTHERS = [
    "I ran to the store in the morning",
    "The store was out of milk and bread",
    "My friend called me on the way home again",
    "We talked about the weather for a little while",
    "It rained all day yesterday and today",
    "The film was better than I had expected",
    "Nobody in the theatre was laughing at all",
    "Dinner was cold, late and far too salty",
    "The waiter was very kind about it all",
    "I would go there again with my friends soon",
]
CACHE_RATE = float(os.environ.get("CACHE_RATE") or 0.95)
PATH = os.environ.get("PATH_ASKED") or "/project/bulk-predict"
P99_LIMIT_MS, RATE_LIMIT = 2000, 10

_numbers = itertools.count()


def texts() -> list[str]:
    """What one request asks."""
    if random.random() < CACHE_RATE:
        return SAME
    shuffled = random.sample(OTHERS, len(OTHERS))
    if os.environ.get("UNIQUE"):
        number = next(_numbers)
        return [f"{one} {number} {at}" for at, one in enumerate(shuffled)]
    return shuffled


def wrong(answer: Any, count: int) -> str | None:
    """Why it is no answer for so many texts; None if it is one."""
    found = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(found, list) or len(found) != count:
        return f"no predictions of {count} texts"
    for pair in found:
        if sorted(one["label"] for one in pair) != ["NEGATIVE", "POSITIVE"]:
            return "a text without both classes"
        if abs(sum(one["score"] for one in pair) - 1) > 0.01:
            return "scores that are no distribution"
    return None


def body(response: Any) -> Any:
    """The body as JSON; None where it is none."""
    try:
        return response.json()
    except ValueError:
        return None


class Reader(FastHttpUser):
    """Asks, waits for the answer, and asks again at once."""

    wait_time = constant(0)

    def on_start(self) -> None:
        key = os.environ.get("ATOLL_KEY")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    @task
    def sentiment(self) -> None:
        text = texts()
        with self.client.post(
            PATH, json={"text": text}, headers=self.headers, name="sentiment", catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
            elif problem := wrong(body(response), len(text)):
                response.failure(problem)


@events.init.add_listener
def write_samples(environment: Any, **_: Any) -> None:
    if not (name := os.environ.get("SAMPLES")):
        return
    file = Path(name).open("w", buffering=1 << 16)  # noqa: SIM115 - closed when Locust ends
    file.write("timeStamp,elapsed,label,success\n")

    def note(request_type: str, name: str, response_time: float, exception: object, **_: Any) -> None:
        began_ms = int(time.time() * 1000 - response_time)
        file.write(f"{began_ms},{response_time:.1f},{name},{str(exception is None).lower()}\n")

    environment.events.request.add_listener(note)
    environment.events.quit.add_listener(lambda **_: file.close())


@events.quitting.add_listener
def judge(environment: Any, **_: Any) -> None:
    total = environment.stats.total
    missed = {
        f"{total.num_failures} errors": total.num_failures > 0,
        f"p99 of {total.get_response_time_percentile(0.99):.0f} ms": total.get_response_time_percentile(0.99)
        >= P99_LIMIT_MS,
        f"{total.total_rps:.1f} requests a second": total.total_rps < RATE_LIMIT,
    }
    for said in (said for said, bad in missed.items() if bad):
        logging.getLogger(__name__).error("limit missed: %s", said)
    environment.process_exit_code = int(any(missed.values()))
