"""Huey on SQLite; a pool of processes, as those it is compared with."""

import huey

from benchmarks.jobs import marks
from benchmarks.jobs.peers import frame

app = huey.SqliteHuey("bench", filename=frame.URL)
task = app.task(name="bench")(marks.run)


def work() -> None:
    app.create_consumer(workers=frame.CONCURRENCY, worker_type="process").run()


if __name__ == "__main__":
    frame.main(work, lambda *arguments: task(*arguments))
