"""`python -m common.jobs worker`, the same as `atoll worker`."""

import typer

from common.cli import main
from common.cli.worker import worker

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@cli.callback()
def jobs() -> None:
    """Run queued jobs."""


cli.command()(worker)

if __name__ == "__main__":
    main("python -m common.jobs", command=cli)
