"""How far a command is that works on this machine, and what came of it."""

import contextlib
from collections.abc import Callable, Iterator

from common.cli.remote import is_watched


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str, int, int], object]]:
    """A bar on standard error for people, nothing for programs."""
    if not is_watched():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from common.client.progress import plain

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=plain(what), completed=done, total=total)


def shown(value: object) -> str:
    """A value as a cell of a table."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
