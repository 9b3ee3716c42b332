"""Showing how far a job is."""

import contextlib
import re
from collections.abc import Callable, Iterator

from common.client.view import JobView

# A callable is told of every change; True draws a bar on standard error.
Progress = Callable[[JobView], object] | bool
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_METRICS = 3


@contextlib.contextmanager
def showing(progress: Progress) -> Iterator[Callable[[JobView], object] | None]:
    """What to call with every change of a job, for as long as the bar stands."""
    if not isinstance(progress, bool):
        yield progress
    elif progress:
        with _bar() as update:
            yield update
    else:
        yield None


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[JobView], object]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, told="")

        def update(job: JobView) -> None:
            # Without a total it moves to and fro.
            total = None if job.progress is None and not job.is_finished else 1.0
            description = plain(f"{job.model or job.id} {job.state}")
            bar.update(task, description=description, total=total, completed=job.progress or 0, told=told(job))

        yield update


def told(job: JobView) -> str:
    """The job's own words and first figures, in one line."""
    figures = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in list(job.metrics.items())[:_METRICS]
    ]
    words = job.error if job.is_finished and job.error else job.message
    return plain("  ".join([words or "", *figures]).strip().replace("\n", " "))


def plain(text: str) -> str:
    """Without what would steer a terminal: a job's words are not ours."""
    return _CONTROL.sub("", text)
