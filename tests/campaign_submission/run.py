"""Runs a campaign: Atoll lives, takes tasks, and is killed, again and again over the same state.

Then it is left in peace, and what is there is compared with what was promised.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.campaign_submission.checks import PROMISES, Violations, check
from tests.campaign_submission.host import ALL_STEPS
from tests.campaign_submission.site import Site, site
from tests.support.servers import CHECKOUT, environment, free_port

_START_S = 90.0
_LIFE_S = 6.0
_PEACE_S = 900.0
# Tells that it ran, takes a moment, and leaves a file; some fail.
_PROGRAM = """\
import json, os, sys, time
params = json.load(open(os.environ["ATOLL_PARAMS"]))
line = os.environ["ATOLL_TASK_ID"] + " " + os.environ["ATOLL_TASK_NAME"] + "\\n"
handle = os.open(params["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
os.write(handle, line.encode())
os.close(handle)
time.sleep(params["seconds"])
open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "metrics.json"), "w").write('{"score": 1.5}')
sys.exit(params["code"])
"""


@dataclass
class Outcome:
    """What a campaign did, and what it found.

    Parameters
    ----------
    steps : kills by the step at which the process killed itself; the others came at any time.
    """

    cluster: str
    seed: int
    kills: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    cancelled: int = 0
    runs: int = 0
    violations: Violations = field(default_factory=lambda: {promise: [] for promise in PROMISES})
    took_s: float = 0.0
    settled_s: float = 0.0

    @property
    def inconsistencies(self) -> int:
        return sum(map(len, self.violations.values()))


class Life:
    """One life of Atoll: its host, in a process group of its own."""

    def __init__(self, folder: Path, where: Site, mine: str | None) -> None:
        self.told = folder / "told"
        self.told.unlink(missing_ok=True)
        self.url = f"http://127.0.0.1:{free_port()}"
        clusters = folder / "clusters.toml"
        clusters.write_text(where.toml)
        given = {
            "PATH": os.environ["PATH"],
            "PORT": self.url.rpartition(":")[2],
            "SERVICE_MODEL": "sample",
            "CLUSTERS_FILE": str(clusters),
            "CAMPAIGN_TOLD": str(self.told),
            "JOB_ISOLATION": "thread",
            "JOB_TICK_S": "1",
            "JOB_HEARTBEAT_S": "1",
            "JOB_STALL_S": "4",
            "JOB_LEASE_S": "4",
            "JOB_RETRY_S": "0.5",
            "JOB_RETRY_MAX_S": "3",
            "RATE_LIMIT_PER_S": "0",
            "MAX_JOBS_PER_OWNER": "0",
            **({"CAMPAIGN_MINE": mine} if mine else {}),
        }
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.campaign_submission.host"],
                cwd=CHECKOUT,
                env=environment(folder / "state", given),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def wait_until_live(self) -> None:
        until = time.monotonic() + _START_S
        while not self.is_over:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health/live", timeout=5, trust_env=False).status_code == 200:
                    return
            if time.monotonic() > until:
                raise AssertionError("Atoll does not start; the log says why")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to it and all that it started as its own; what runs on the cluster is in groups of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def campaign(
    cluster: str, kills: int, seed: int, say: Callable[[str], object] = lambda _: None, folder: Path | None = None
) -> Outcome:
    """Kill Atoll so many times in the middle of what it does for tasks, and look."""
    outcome, began_s = Outcome(cluster, seed), time.monotonic()
    folder = folder or Path(tempfile.mkdtemp(prefix="atoll-tasks-"))
    rng = random.Random(seed)
    with site(cluster, folder) as where:
        where.runs.touch()
        where.runs.chmod(0o666)
        accepted: dict[str, str] = {}
        while outcome.kills < kills:
            mine = None
            # Each step in turn, so that none is left out; a third comes at any time.
            if rng.random() < 0.7:
                step = ALL_STEPS[outcome.kills % len(ALL_STEPS)]
                mine = f"{step} {rng.choice(['before', 'after'])} {rng.choice([1, 1, 2])}"
            _live(folder, where, mine, rng, outcome, accepted)
            if outcome.kills % 10 == 0:
                say(f"{outcome.kills}/{kills} kills, {len(accepted)} tasks")
        _settle(folder, where, outcome, accepted, say)
    outcome.took_s = time.monotonic() - began_s
    if outcome.inconsistencies:
        say(f"kept: {folder}")
    return outcome


def _live(
    folder: Path, where: Site, mine: str | None, rng: random.Random, outcome: Outcome, accepted: dict[str, str]
) -> None:
    life = Life(folder, where, mine)
    try:
        life.wait_until_live()
        # A step that never comes in this life is not waited for without end.
        until = time.monotonic() + (2 * _LIFE_S if mine else rng.uniform(0.3, _LIFE_S))
        with httpx.Client(base_url=life.url, timeout=10, trust_env=False) as client:
            for _ in range(rng.randint(1, 3)):
                _act(client, where, rng, outcome, accepted)
            while time.monotonic() < until and not life.is_over:
                time.sleep(0.02)
    finally:
        life.kill()
    outcome.kills += 1
    if life.told.exists() and mine:
        outcome.steps[" ".join(mine.split(" ")[:-1])] += 1
    else:
        outcome.steps["at any time"] += 1


def _act(client: httpx.Client, where: Site, rng: random.Random, outcome: Outcome, accepted: dict[str, str]) -> None:
    """Submit a task, and perhaps cancel it; whatever is not answered was not promised."""
    code = 3 if rng.random() < 0.2 else 0
    params = {"runs": str(where.runs), "seconds": rng.choice([0, 0.2, 1]), "code": code}
    config: dict[str, Any] = {
        "name": "campaign",
        "cluster": where.cluster,
        "script_name": "run.py",
        "model_params": params,
    }
    if code:
        config["retries"] = rng.randint(0, 1)
    files = {"config": ("c.json", json.dumps(config)), "program": ("run.py", _PROGRAM)}
    with suppress(httpx.TransportError):
        answer = client.post("/tasks", files=files)
        if answer.status_code != 202:
            raise AssertionError(f"refused: {answer.status_code} {answer.text[:500]}")
        task_id = str(answer.json()["id"])
        accepted[task_id] = "failed" if code else "succeeded"
        outcome.accepted += 1
        if not code and rng.random() < 0.2:
            time.sleep(rng.uniform(0, 0.5))
            # Even an answer that was not heard may have been acted on.
            accepted[task_id] = "cancelled"
            outcome.cancelled += 1
            client.delete(f"/tasks/{task_id}")


def _settle(
    folder: Path, where: Site, outcome: Outcome, accepted: dict[str, str], say: Callable[[str], object]
) -> None:
    """One last life in peace, until everything has come to its end."""
    say("in peace")
    began_s = time.monotonic()
    life = Life(folder, where, None)
    try:
        life.wait_until_live()
        with httpx.Client(base_url=life.url, timeout=60, trust_env=False) as client:
            while True:
                found = _all(client)
                open_ones = [one for one in found.values() if not one["finished"] or one["files"] == "collecting"]
                if not open_ones and not where.live():
                    break
                if time.monotonic() - began_s > _PEACE_S:
                    break
                time.sleep(0.5)
        outcome.settled_s = time.monotonic() - began_s
        live = where.live()
    finally:
        life.kill()
    runs = where.runs.read_text().splitlines()
    outcome.runs = len(runs)
    for promise, texts in check(accepted, found, runs, live).items():
        outcome.violations[promise] += texts


def _all(client: httpx.Client) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor = None
    while True:
        query = {"limit": "500", **({"cursor": cursor} if cursor else {})}
        page = client.get("/tasks", params=query).raise_for_status().json()
        for task in page["tasks"]:
            found[task["id"]] = {**task, "finished": task["state"] in _FINISHED}
        cursor = page.get("next")
        if not cursor:
            return found


_FINISHED = {"succeeded", "failed", "cancelled", "timed-out", "out-of-memory", "node-failed", "lost"}
