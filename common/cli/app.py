"""All commands. Those of this module work on this machine; the others ask a server.

Imports are made where they are used, so that `--help` answers at once.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from common.cli import clusters, datasets, doctor, jobs, keys, models, predict, registry, security, submit, tasks
from common.cli.plugged import PluggedApp
from common.cli.remote import AsJson, Remote, Url

app = typer.Typer(
    cls=PluggedApp,
    name="atoll",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server answers, 4 the job failed or was cancelled.",
)
app.command("predict")(predict.predict)
app.command("train")(predict.train)
app.command("submit", epilog=submit.EPILOG)(submit.submit)
app.command("audit")(security.audit)
app.command("settings")(security.settings)
app.command("doctor")(doctor.doctor)
app.add_typer(jobs.app, name="jobs")
app.add_typer(tasks.app, name="tasks")
app.add_typer(clusters.app, name="clusters")
app.add_typer(registry.app, name="registry")
app.add_typer(models.app, name="models")
app.add_typer(datasets.app, name="datasets")
app.add_typer(keys.app, name="keys")


@app.callback()
def options(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Many ML models behind one serverless API."""
    context.obj = Remote(url, as_json)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to [HOST, 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one [PORT, 7071].")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes [WORKERS, 1].")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew when the code changes (development).")] = False,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Private key, PEM; serves https [SSL_KEYFILE].")] = None,
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate chain, PEM [SSL_CERTFILE].")] = None,
) -> None:
    """Serve all models on this machine until Ctrl-C.

    An option given here counts before the setting in brackets. docs/settings.md lists all settings.
    """
    # The processes that uvicorn starts read their settings from the environment, as this one does.
    tls = (("SSL_KEYFILE", ssl_keyfile), ("SSL_CERTFILE", ssl_certfile))
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers), *tls):
        if value is not None:
            os.environ[name] = str(value)
    from common.host.server import serve as run
    from common.settings import get_settings

    run(get_settings(), reload=reload)


plugin_app = typer.Typer(help="Begin a plugin, and check one.", no_args_is_help=True)
app.add_typer(plugin_app, name="plugin")


@plugin_app.command("new")
def plugin_new(
    name: Annotated[str, typer.Argument(help="Name of the package, e.g. prices.")],
    folder: Annotated[Path | None, typer.Option(help="Where to put it (default: models/ of the checkout).")] = None,
) -> None:
    """Write a plugin to start from."""
    from common.plugins.scaffold import scaffold
    from common.settings import CHECKOUT

    path = scaffold(name, folder or CHECKOUT / "models")
    typer.echo(f"wrote {path}; serve it with `make run`, check it with `atoll plugin check {name}`")


@plugin_app.command("check")
def plugin_check(name: Annotated[str, typer.Argument(help="Name of the plugin.")]) -> None:
    """Run the conformance kit: imports, schema, data, examples, errors. Exit code 1 if a check fails."""
    import asyncio

    from common.cli.quiet import quiet
    from common.plugins.conformance import check
    from common.settings import Settings

    outcomes = asyncio.run(check(name, Settings(telemetry=quiet())))
    for outcome in outcomes:
        typer.echo(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.check}  {outcome.message}".rstrip())
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    from common.version import VERSION

    typer.echo(VERSION)


def main(prog_name: str = "atoll", *, command: typer.Typer = app) -> None:
    """Run the command line, or one `command` of it under its own name."""
    import sys

    from common.errors import SettingsError

    try:
        command(prog_name=prog_name)
    # What a person has to put right is a sentence, in every command.
    except SettingsError as exc:
        typer.echo(f"atoll: {exc.detail}", err=True)
        sys.exit(1)
