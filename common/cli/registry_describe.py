"""`atoll registry describe` and `delete`: what a model or a version is, and its end."""

from typing import Annotated

import typer

from common.cli import completing
from common.cli.remote import AsJson, Url, connected, print_json, prints_json

Model = Annotated[str, typer.Argument(help="Name of the model.", autocompletion=completing.versioned_models)]


def describe(
    context: typer.Context,
    model: Model,
    version: Annotated[int | None, typer.Argument(min=1, help="Number of the version; by default the model.")] = None,
    text: Annotated[str | None, typer.Option(help="The description.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=TEXT]", help="A tag; repeat it for all that there shall be.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FIGURE", help="A figure of a version, measured since; may be repeated."),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Say what a model, or a version, is. Tags that are given replace all that there were; other figures stay.

    \b
    Example:
      atoll registry describe sample 3 --text 'More data.' --tag tried --metric accuracy=0.97
    """
    if text is None and tag is None and metric is None:
        raise typer.BadParameter("give --text, --tag or --metric", param_hint="--text")
    if metric is not None and version is None:
        raise typer.BadParameter("a figure is that of a version; give its number", param_hint="VERSION")
    metrics = None if metric is None else dict(_figure(given) for given in metric)
    tags = None if tag is None else {name: value for name, _, value in (given.partition("=") for given in tag)}
    with connected(context, url) as client:
        told = client.describe(model, version, description=text, tags=tags, metrics=metrics)
    if prints_json(context, as_json):
        print_json(told)
    else:
        labels = ", ".join(f"{name}={value}" if value else name for name, value in told["tags"].items())
        typer.echo(f"{_named(model, version)}: {told['description']}{f'  [{labels}]' if labels else ''}")


def delete(
    context: typer.Context,
    model: Model,
    version: Annotated[int | None, typer.Argument(min=1, help="Number of the version.")] = None,
    name: Annotated[str | None, typer.Option("--alias", help="Delete this alias; its version stays.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete the model: all its versions and aliases.")] = False,
    url: Url = None,
) -> None:
    """Delete a version that no alias points to, an alias, or a whole model. Nothing of it can be had back.

    \b
    Examples:
      atoll registry delete sample 2
      atoll registry delete sample --alias candidate
    """
    if [version is not None, name is not None, everything].count(True) != 1:
        raise typer.BadParameter("give the number of a version, --alias, or --all", param_hint="VERSION")
    with connected(context, url) as client:
        if version is not None:
            client.delete_version(model, version)
        elif name is not None:
            client.delete_alias(model, name)
        else:
            client.delete_model(model)
    typer.echo(f"{_named(model, version or name)} deleted", err=True)


def _figure(given: str) -> tuple[str, float]:
    name, _, figure = given.partition("=")
    try:
        return name, float(figure)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is not NAME=FIGURE, e.g. accuracy=0.97", param_hint="--metric") from None


def _named(model: str, part: object) -> str:
    return model if part is None else f"{model}:{part}"
