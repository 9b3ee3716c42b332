"""Procrastinate on PostgreSQL; one process, whose jobs run on threads. It keeps no results."""

import procrastinate

from benchmarks.jobs import marks
from benchmarks.jobs.peers import frame

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=frame.URL))


def run(marks_file: str, sent: float, sleep_s: float) -> str:
    return marks.run(marks_file, sent, sleep_s)


task = app.task(run, name="bench")


def prepare() -> None:
    with app.open():
        app.schema_manager.apply_schema()


def send(marks_file: str, sent: float, sleep_s: float) -> None:
    task.defer(marks_file=marks_file, sent=sent, sleep_s=sleep_s)


def work() -> None:
    app.run_worker(concurrency=frame.CONCURRENCY)


if __name__ == "__main__":
    with app.open():
        frame.main(work, send, prepare)
