"""`python -m tests.campaign`: kill, cut, freeze and fill at random, and count what was lost."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.campaign import report
from tests.campaign.run import DEFAULTS, SHORT, Options, Outcome, campaign
from tests.support.backends import Missing

cli = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


class Backend(StrEnum):
    embedded = "embedded"
    azurite_postgres = "azurite-postgres"
    both = "both"


class Times(StrEnum):
    short = "short"
    default = "default"


@cli.command()
def main(
    kills: Annotated[int, typer.Option(min=1, help="Processes to kill, on each backend.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Draws the same plan again [by the clock].")] = None,
    backend: Annotated[
        Backend, typer.Option(help="`embedded`: SQLite. `azurite-postgres`: as in production.")
    ] = Backend.both,
    minutes: Annotated[float, typer.Option(min=0.1, help="Kill for so long at most, on each backend.")] = 60,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes beside the host.")] = 3,
    times: Annotated[
        Times, typer.Option(help="`short`: a lost worker is noticed after 3 s. `default`: as people run it, slower.")
    ] = Times.short,
    faults: Annotated[bool, typer.Option(help="Other faults beside the kills.")] = True,
    file: Annotated[Path | None, typer.Option("--report", help="Write the findings there, as Markdown.")] = None,
    keep: Annotated[bool, typer.Option(help="Keep logs and state even if all is well.")] = False,
) -> None:
    """Prove that the job kernel keeps its promises: real processes, killed at random under load.

    Starts a local host and workers over the chosen backend, with clients that submit predictions, trainings with
    checkpoints, searches, and jobs that fail. Then it kills processes by SIGKILL: workers, their children, the host,
    all at once, or one that is just about to commit or just has. Beside that it freezes processes, restarts and crashes
    the database and the queue server, cuts the network, fills the disk of the share, and lets clocks jump.

    In the end every accepted job must have an end and, if it went wrong, an error; each effect must be there once.
    Exit code 1: a promise was broken; the findings name the jobs, and the logs are kept.

    \b
      python -m tests.campaign --kills 20 --backend embedded     a few minutes, nothing to install
      python -m tests.campaign --kills 200                       the real thing, on both backends
      python -m tests.campaign --kills 12 --times default        how long a job waits with the default settings

    Needs PostgreSQL and npm (for Azurite) for `azurite-postgres`; a C compiler to move clocks; and root to mount a
    small share. Where one of the last two is missing, its faults are named and left out.
    """
    console = Console(highlight=False, soft_wrap=True)
    drawn = seed if seed is not None else int(time.time())
    chosen = [Backend.embedded, Backend.azurite_postgres] if backend is Backend.both else [backend]
    settings = SHORT if times is Times.short else DEFAULTS
    outcomes: list[Outcome] = []
    for one in chosen:
        console.print(f"{one.value}: {kills} kills, seed {drawn}")
        options = Options(kills, drawn, one.value, minutes, workers, dict(settings), faults, keep)
        try:
            outcome = campaign(options, console.print)
        except Missing as exc:
            console.print(f"[red]{one.value}: {exc}")
            raise typer.Exit(2) from None
        outcomes.append(outcome)
        console.print(report.table(outcome))
        for text in outcome.skipped:
            console.print(f"[yellow]not tried: {text}")
        for promise, found in outcome.violations.items():
            for text in found[:20]:
                console.print(f"[red]{promise}: {text}")
        if not outcome.is_good:
            console.print(f"[red]{one.value}: promises broken; see {outcome.folder}")
    if file is not None:
        file.write_text(report.markdown(outcomes), encoding="utf-8")
    raise typer.Exit(0 if all(outcome.is_good for outcome in outcomes) else 1)


if __name__ == "__main__":
    cli(prog_name="python -m tests.campaign")
