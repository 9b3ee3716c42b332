"""A worker process for tests that kill it: `python -m tests.jobs.crashing MARKS [--once] [--slow]`.

Its training jobs write a row with their success, and leave a mark in the folder MARKS when they begin. With `--slow`
they do not end before they are told to stop, or killed.
"""

import sys
from pathlib import Path

import sqlalchemy as sa
from fastapi import FastAPI

import common.app
from common.jobs.__main__ import cli
from common.jobs.context import JobContext
from common.jobs.records import Job, Result
from common.jobs.states import Kind
from common.jobs.system import JobSystem
from common.settings import Settings


class Marking:
    """Publishes one row a job."""

    def __init__(self, marks: Path, *, slow: bool) -> None:
        self.marks = marks
        self.slow = slow

    def run(self, job: Job, context: JobContext) -> Result:
        context.checkpoint.save(b"begun")
        context.progress(0.5, "halfway")
        statement = sa.text("INSERT INTO effects VALUES (:id, :epoch)")
        values = {"id": job.id, "epoch": job.epoch}
        context.on_commit(lambda connection: connection.execute(statement, values))
        (self.marks / f"{job.id}-{job.epoch}").touch()
        while self.slow:
            context.wait_cancelled(3600)
            context.check_cancelled()
        return Result(body=b"1")


def main() -> None:
    marks, options = Path(sys.argv[1]), sys.argv[2:]
    executor = Marking(marks, slow="--slow" in options)
    create_app = common.app.create_app

    def create(settings: Settings) -> FastAPI:
        app = create_app(settings)
        system: JobSystem = app.state.runtime.jobs
        system.executors[Kind.TRAINING] = executor
        return app

    common.app.create_app = create  # type: ignore[assignment]  # the command imports it when it runs
    cli(["worker", *(option for option in options if option != "--slow")], prog_name="worker")


if __name__ == "__main__":
    main()
