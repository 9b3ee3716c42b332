"""`atoll plugin`: a plugin to start from, and whether one is as it should be."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from common.cli.completing import models
from common.cli.groups import group
from common.cli.quiet import quiet
from common.cli.remote import FAILED, AsJson, Coloured, ended, print_json, print_table

app = group("Begin a plugin, and check one.")


@app.command("new")
def plugin_new(
    name: Annotated[str, typer.Argument(help="Name of the package, e.g. prices.")],
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to put it; by default models/ of the checkout.")
    ] = None,
) -> None:
    """Write a plugin to start from, with a test of its own; it passes `atoll plugin check` as it is.

    \b
    Examples:
      atoll plugin new prices
      atoll plugin new prices --folder ~/my-plugins
    """
    from common.plugins.scaffold import scaffold
    from common.settings import CHECKOUT

    written = scaffold(name, folder or CHECKOUT / "models")
    there = "" if folder is None else f"ATOLL_PLUGIN_PATH={shlex.quote(str(folder.absolute()))} "
    typer.echo(f"wrote    {written.plugin}")
    typer.echo(f"         {written.test}")
    typer.echo(f"check it {there}atoll plugin check {name}")
    typer.echo(f"test it  python -m pytest {shlex.quote(str(written.test))}")
    typer.echo(f"serve it {there}atoll serve --model {name}")


@app.command("check")
def plugin_check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the plugin.", autocompletion=models)],
    as_json: AsJson = False,
) -> None:
    """Run the conformance kit: imports, schema, data, examples, errors. Exit code 1 if a check fails.

    \b
    Examples:
      atoll plugin check sample
      ATOLL_PLUGIN_PATH=~/my-plugins atoll plugin check prices
    """
    import asyncio
    import sys

    from common.plugins.conformance import check
    from common.plugins.discovery import find
    from common.settings import Settings

    known = sorted(find(Settings().plugins))
    if name not in known:
        told = f"there is no plugin {name!r}; found are {', '.join(known)} (ATOLL_PLUGIN_PATH names more folders)"
        raise ended(told, FAILED)
    outcomes = asyncio.run(check(name, Settings(telemetry=quiet())))
    # Asked for; in a pipe the lines are as good.
    if as_json or context.obj.as_json:
        print_json([vars(outcome) for outcome in outcomes])
    elif sys.stdout.isatty():
        signs = {True: Coloured("ok", "green"), False: Coloured("FAIL", "bold red")}
        print_table(["", "CHECK", "TOLD"], [[signs[one.passed], one.check, one.message] for one in outcomes])
    else:
        for outcome in outcomes:
            typer.echo(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.check}  {outcome.message}".rstrip())
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(FAILED)
