"""What the parts of a run share: the report, and a server with its pages."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.console import filled
from benchmarks.report import Report
from benchmarks.server import Server
from common.client import Client as Atoll
from common.console.pages import PAGES
from common.database import Database
from models._indicators import write_sample

JOBS = 10_000
# Nobody runs what waits, so a page shows the same for as long as it is measured.
SETTINGS = {"ATOLL_ROLES": "http", "RATE_LIMIT_PER_S": "0"}
_PROGRAM = "print('hello')\n"


@dataclass
class Bench:
    """
    Attributes
    ----------
    is_quick : little of everything, to see that it works.
    """

    report: Report
    scratch: Path
    is_quick: bool

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.scratch))

    @contextlib.contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """What has been measured is not lost with what cannot be."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001  # of the browser, the server or the database
            self.report.fail(what, exc)


@dataclass
class Site:
    """A server with many jobs, a running one and a task.

    Attributes
    ----------
    database : its own, to change what it shows.
    job, task : ids of one that is under way.
    oldest : when the oldest job was made.
    """

    server: Server
    database: Database
    job: str
    task: str
    oldest: datetime

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def pages(self) -> dict[str, str]:
        """Title -> path, of all pages of the console."""
        found: dict[str, str] = {}
        for page in PAGES:
            for model in ("housing", "imputation") if "{name}" in page.path else ("",):
                path = page.path.format(name=model, job_id=self.job, task_id=self.task)
                found[f"{page.title}, {model}" if model else page.title] = path
        return found


@contextlib.contextmanager
def site(bench: Bench, *, url: str | None = None, models: str = "") -> Iterator[Site]:
    """A server with 10,000 jobs, on the generated sample.

    Parameters
    ----------
    url : of a database other than SQLite.
    models : names of those that are served; all by default.
    """
    state = bench.folder()
    address = url or f"sqlite:///{state / 'atoll.db'}"
    database = Database(address)
    try:
        database.migrate()
        oldest = filled.fill(database, JOBS)
        settings = SETTINGS | ({"DATABASE_URL": url} if url else {}) | ({"SERVICE_MODEL": models} if models else {})
        sample = bench.folder()
        write_sample(sample)
        with Server(sample, state, settings=settings) as server:
            program = state / "hello.py"
            program.write_text(_PROGRAM)
            with Atoll(f"http://127.0.0.1:{server.port}") as client:
                task = client.submit_task(program, {"name": "hello"}).id
            yield Site(server, database, filled.add_running(database), task, oldest)
    finally:
        database.close()
