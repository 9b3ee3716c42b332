"""`atoll`: what stands before a command, and how a command ends that cannot go on."""

import sys

import typer

from common.cli.commands import Commands
from common.cli.remote import AsJson, Remote, Url

# Help is plain text: the library that would draw boxes around it takes longer to import than all else.
app = typer.Typer(
    cls=Commands,
    name="atoll",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`atoll COMMAND --help` has examples. A model with commands of its own has them under its name, e.g. `atoll "
    "scaleout --help`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server answers, 4 the job failed or was "
    "cancelled.",
)


@app.callback()
def options(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Many ML models behind one serverless API."""
    context.obj = Remote(url, as_json)


def main(prog_name: str = "atoll", *, command: typer.Typer = app) -> None:
    """Run the command line, or one `command` of it under its own name."""
    try:
        command(prog_name=prog_name)
    except Exception as exc:
        # Only who has imported the errors can have raised one; they bring pydantic.
        errors = sys.modules.get("common.errors")
        if errors is None or not isinstance(exc, errors.SettingsError):
            raise
        # What a person has to put right is a sentence, in every command.
        typer.echo(f"atoll: {exc.detail}", err=True)
        sys.exit(1)
