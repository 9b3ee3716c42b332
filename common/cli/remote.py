"""What the commands that ask a server have in common: which server, how answers are shown, how errors end."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from common.client import Client, Job

FAILED, USAGE, UNREACHABLE, JOB_FAILED = 1, 2, 3, 4

Url = Annotated[
    str | None,
    typer.Option("--url", help="Address of the server [ATOLL_URL, http://127.0.0.1:7071]. ATOLL_KEY is the key."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; the default where the output is no terminal.")]


# A state, a time, a size.
_SHORT_CHARS = 14


@dataclass(frozen=True)
class Remote:
    """What stood before the command."""

    url: str | None = None
    as_json: bool = False


@dataclass(frozen=True)
class Coloured:
    """A cell of a table, in one of the terminal's colours."""

    text: str
    style: str


def prints_json(context: typer.Context, as_json: bool = False) -> bool:
    remote: Remote = context.obj
    return as_json or remote.as_json or not sys.stdout.isatty()


def is_watched() -> bool:
    """Whether there is somebody to see a progress bar."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def connected(context: typer.Context, url: str | None) -> Iterator["Client"]:
    """A client of the server that was named; errors end the command with their code and one sentence."""
    from common.client import AtollClientError, Client, JobUnsuccessful, Unreachable

    remote: Remote = context.obj
    try:
        client = Client(url or remote.url)
    except ValueError as exc:
        raise ended(str(exc), USAGE) from None
    with client:
        try:
            yield client
        except Unreachable as exc:
            raise ended(exc.message, UNREACHABLE) from None
        except JobUnsuccessful as exc:
            raise ended(exc.message, JOB_FAILED) from None
        except AtollClientError as exc:
            without_key = exc.status == HTTPStatus.UNAUTHORIZED and not os.environ.get("ATOLL_KEY", "").strip()
            raise ended(exc.message + ("; put yours into ATOLL_KEY" if without_key else ""), FAILED) from None


def print_json(value: Any) -> None:
    """As JSON for programs and people alike; text and bytes as they are."""
    import orjson

    if isinstance(value, bytes):
        sys.stdout.buffer.write(value)
        sys.stdout.flush()
    elif isinstance(value, str):
        typer.echo(value)
    else:
        typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_line(value: Any) -> None:
    """As one line of JSON, for what comes one by one."""
    import orjson

    typer.echo(orjson.dumps(value))


def print_table(headers: list[str], rows: list[list[object]]) -> None:
    """For people. What is to be shown is theirs, not ours: nothing in it is markup or steers the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from common.client.progress import plain

    table = Table(*headers, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(plain(cell.text), style=cell.style) for cell in map(_cell, row)))
    # The first column is what other commands want to be given; of short ones nothing would be left.
    table.columns[0].no_wrap = True
    for number, column in enumerate(table.columns):
        longest = max((len(_cell(row[number]).text) for row in rows), default=0)
        column.min_width = longest if not number or longest <= _SHORT_CHARS else None
    Console().print(table)


def _cell(value: object) -> Coloured:
    return value if isinstance(value, Coloured) else Coloured("" if value is None else str(value), "")


def end_unless_succeeded(job: "Job") -> None:
    """End the command with 4 if the job has come to nothing."""
    if job.is_finished and not job.has_succeeded:
        told = f": {job.error}" if job.error else ""
        raise ended(f"job {job.id} is {job.state}{told}", JOB_FAILED)


def ended(message: str, code: int) -> typer.Exit:
    """What to raise to end the command with one sentence."""
    from common.client.progress import plain
    from common.telemetry.masking import mask

    # The address of the server may hold a password.
    typer.echo(f"atoll: {plain(mask(message))}", err=True)
    return typer.Exit(code)
