"""`atoll registry`: versions of models, and which one serves."""

from pathlib import Path
from typing import Annotated

import typer

from common.cli.remote import AsJson, Url, connected, print_json, print_table, prints_json
from common.cli.steps import telling_errors

app = typer.Typer(help="Look at model versions, and choose which one serves.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="Name of the model.")]


@app.command("list")
def list_models(context: typer.Context, as_json: AsJson = False, url: Url = None) -> None:
    """List the models that have versions."""
    with connected(context, url) as client:
        models = client.registry()
    if prints_json(context, as_json):
        print_json(models)
    else:
        rows = [[model["model"], model["latest"], _aliases(model["aliases"])] for model in models]
        print_table(["MODEL", "LATEST", "ALIASES"], rows)


@app.command()
def show(
    context: typer.Context,
    model: Model,
    version: Annotated[int | None, typer.Argument(min=1, help="Number of the version; by default all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="As many versions at most.")] = 100,
    before: Annotated[int | None, typer.Option(min=1, help="Only versions of lower numbers.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show a model's versions, newest first, or one of them."""
    with connected(context, url) as client:
        told = client.registry(model, version, before=before, limit=limit)
    # A version is a tree; so it is shown as one.
    if version is not None or prints_json(context, as_json):
        print_json(told)
        return
    by_number: dict[int, list[str]] = {}
    for alias, number in told["aliases"].items():
        by_number.setdefault(number, []).append(alias)
    rows: list[list[object]] = [
        [
            item["number"],
            ", ".join(by_number.get(item["number"], ())),
            item["created_at"],
            item["author"],
            item["job_id"],
            ", ".join(f"{name} {value}" for name, value in item["metrics"].items()),
        ]
        for item in told["versions"]
    ]
    print_table(["VERSION", "ALIASES", "CREATED", "AUTHOR", "JOB", "METRICS"], rows)


@app.command()
def alias(
    context: typer.Context,
    model: Model,
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="`default` is what serves.")],
    version: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Point an alias to a version."""
    with connected(context, url) as client:
        change = client.set_alias(model, name, version)
    if prints_json(context, as_json):
        print_json(change)
    else:
        was = "" if change["previous"] in (None, version) else f" (was {change['previous']})"
        typer.echo(f"{change['model']}:{change['alias']} -> {change['version']}{was}")


@app.command("convert")
def convert_file(
    file: Annotated[Path, typer.Argument(help="A pickle or joblib file that you trust: opening it runs it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite it.")] = False,
) -> None:
    """Make a pickle or joblib file one that can be uploaded; runs here, and asks no server."""
    from common.registry.convert import convert

    with telling_errors():
        made = convert(file, output, force=force)
    typer.echo(f"{made.path}  ({made.what} as {made.kind})")


def _aliases(aliases: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(aliases.items()))
