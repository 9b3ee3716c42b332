"""What commands that work on this machine have in common: how far they are, how errors end them, what came of it."""

import contextlib
from collections.abc import Callable, Iterator

import typer

from common.cli.remote import FAILED, UNREACHABLE, ended, is_watched


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


@contextlib.contextmanager
def telling_errors() -> Iterator[None]:
    """Errors within it end the command with their code and one sentence."""
    from common.errors import AtollError, DependencyFailed

    try:
        yield
    except DependencyFailed as exc:
        raise ended(exc.detail, UNREACHABLE) from None
    except AtollError as exc:
        raise ended(exc.detail, FAILED) from None
    except OSError as exc:
        raise ended(f"cannot write {exc.filename or 'the files'}: {exc.strerror}", FAILED) from None


def check_base_url(given: str | None) -> None:
    """Refuse a `--base-url` that is no address."""
    if given is not None and not given.startswith(("http://", "https://")):
        raise typer.BadParameter("give an address that begins with http:// or https://", param_hint="--base-url")


def shown(value: object) -> str:
    """A value as a cell of a table."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def size(size_bytes: int) -> str:
    """For people: `1.5 MiB`."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
