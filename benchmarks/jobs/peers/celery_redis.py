"""Celery with Redis as broker and for results; a pool of processes, which is its default."""

import celery

from benchmarks.jobs import marks
from benchmarks.jobs.peers import frame

app = celery.Celery("bench", broker=frame.URL, backend=frame.URL)
task = app.task(marks.run, name="bench")


def work() -> None:
    app.worker_main(["worker", f"--concurrency={frame.CONCURRENCY}", "--loglevel=WARNING"])


if __name__ == "__main__":
    frame.main(work, lambda *arguments: task.delay(*arguments))
