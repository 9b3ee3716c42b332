"""`python -m tests.campaign_registry`: kill processes that change the registry, and count what does not fit."""

import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.campaign_registry import report
from tests.campaign_registry.run import POSTGRESQL, SQLITE, campaign
from tests.support.backends import Missing

cli = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


class Backend(StrEnum):
    sqlite = SQLITE
    postgresql = POSTGRESQL
    both = "both"


@cli.command()
def main(
    kills: Annotated[int, typer.Option(min=1, help="Processes to kill, on each database.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Draws the same plan again [by the clock].")] = None,
    backend: Annotated[Backend, typer.Option(help="The database.")] = Backend.both,
    file: Annotated[Path | None, typer.Option("--report", help="Write the findings there, as Markdown.")] = None,
) -> None:
    """Prove that the registry stays whole: real processes, killed by SIGKILL in the middle of what they do.

    Three processes at a time publish versions, move aliases, roll back, promote, share requests, describe, delete, and
    collect what nobody needs, all without a grace, on two models whose versions share their contents. Most of them kill
    themselves at a chosen place (before or after a statement, a commit, in the middle of a file), the others are killed
    whenever it is. Each says before and after each deed what it is, and in the end all of it is compared with what is
    there. Exit code 1: something does not fit; database, share and ledger are kept.

    Needs PostgreSQL for `postgresql`.
    """
    # As Ctrl-C: nothing that was started is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True)
    drawn = seed if seed is not None else int(time.time())
    outcomes = []
    for one in (SQLITE, POSTGRESQL) if backend is Backend.both else (backend.value,):
        console.print(f"{one}: {kills} kills, seed {drawn}")
        try:
            outcomes.append(campaign(one, kills, drawn, console.print))
        except Missing as exc:
            console.print(f"[red]{one}: {exc}")
            raise typer.Exit(2) from None
    page = report.markdown(outcomes)
    console.print(page)
    if file is not None:
        file.write_text(page)
    if any(outcome.inconsistencies for outcome in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    cli()
