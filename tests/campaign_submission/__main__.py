"""`python -m tests.campaign_submission`: kill Atoll at every step of tasks' lives, and count what does not fit."""

import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.campaign_submission import report
from tests.campaign_submission.run import campaign
from tests.campaign_submission.site import LOCAL, SLURM

cli = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


class Cluster(StrEnum):
    local = LOCAL
    slurm = SLURM
    both = "both"


@cli.command()
def main(
    kills: Annotated[int, typer.Option(min=1, help="How often Atoll is killed, with each cluster.")] = 100,
    seed: Annotated[int | None, typer.Option(help="Draws the same plan again [by the clock].")] = None,
    cluster: Annotated[Cluster, typer.Option(help="Where the tasks run.")] = Cluster.local,
    file: Annotated[Path | None, typer.Option("--report", help="Write the findings there, as Markdown.")] = None,
) -> None:
    """Prove that tasks survive whatever happens to Atoll.

    Atoll's own host takes tasks over HTTP, and is killed by SIGKILL: mostly by itself, before or after a chosen step of
    a task's life (accepted, prepared, looked for, submitted, recorded, cancelled, observed, written, collected, noted,
    cleaned), else at any time. The next one goes on over the same state. Each program appends a line to a file when it
    runs; some fail, some are cancelled. In the end Atoll is left in peace, and tasks, lines and the cluster's own list
    are compared. Exit code 1: something does not fit; the folder is kept.

    `slurm-ssh` needs the Slurm of ../shared/lab.
    """
    # As Ctrl-C: nothing that was started is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True)
    drawn = seed if seed is not None else int(time.time())
    outcomes = []
    for one in (LOCAL, SLURM) if cluster is Cluster.both else (cluster.value,):
        console.print(f"{one}: {kills} kills, seed {drawn}")
        outcomes.append(campaign(one, kills, drawn, console.print))
    page = report.markdown(outcomes)
    console.print(page)
    if file is not None:
        file.write_text(page)
    if any(outcome.inconsistencies for outcome in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    cli()
