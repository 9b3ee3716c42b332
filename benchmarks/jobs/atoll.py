"""Atoll as a contestant, and what its parts need to be started with."""

import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil

from benchmarks.jobs.contest import System, local_sender
from benchmarks.jobs.peers.frame import CONCURRENCY
from benchmarks.server import REPOSITORY
from common.clock import SystemClock
from common.database import Database
from common.jobs.blobs import ShareBlobs
from common.jobs.queues.table import TableQueue
from common.jobs.runner import Runner
from common.jobs.service import JobService
from common.jobs.states import Kind
from common.jobs.store import JobStore
from common.settings import JobSettings, StorageSettings
from common.storage import open_share

MODEL = "bench_jobs"
PREDICT = f"/{MODEL}/predict"
WORKER = (sys.executable, "-m", "common.jobs", "worker")


def settings(state: Path, database_url: str) -> dict[str, str]:
    """The environment of a server or worker: all defaults, but for where things are."""
    return {
        "ATOLL_STATE": str(state),
        "DATABASE_URL": database_url,
        "ATOLL_PLUGIN_PATH": str(REPOSITORY / "benchmarks" / "jobs" / "plugins"),
        "SERVICE_MODEL": MODEL,
        "PYTHONPATH": str(REPOSITORY),
    }


class Sender:
    """Accepts jobs as a route does, without HTTP."""

    def __init__(self, state: Path, database_url: str) -> None:
        self.database = Database(database_url)
        self.database.migrate()
        clock, jobs = SystemClock(), JobSettings()
        self.store = JobStore(self.database, clock, ShareBlobs(open_share(StorageSettings(state_dir=state))), jobs)
        runner = Runner(self.store, TableQueue(self.database, clock), {}, jobs, clock)
        self._service = JobService(self.store, runner, jobs, clock, (MODEL,))

    def send(self, marks: str, sent: float, sleep_s: float) -> str:
        """The job's id."""
        body = orjson.dumps({"marks": marks, "sent": sent, "sleep_s": sleep_s})
        headers = {"content-type": "application/json"}
        accepted = self._service.submit(Kind.PREDICTION, PREDICT, body, model=MODEL, headers=headers)
        return accepted.job.id


def system(name: str, database_url: str, state: Path, server: Callable[[], list[psutil.Process]]) -> System:
    """One worker process over a database."""
    return System(
        name,
        "table of the database; processes",
        [*WORKER, "--concurrency", str(CONCURRENCY)],
        settings(state, database_url),
        local_sender(Sender(state, database_url).send),
        server,
    )
