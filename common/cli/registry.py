"""`atoll registry`: versions of models, and which one serves."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from common.cli import completing, registry_describe, registry_drift, registry_local, registry_mlflow
from common.cli.groups import group
from common.cli.plugged import PluggedGroup
from common.cli.remote import AsJson, Url, connected, print_json, print_table, prints_json
from common.cli.steps import telling_errors

app = group(
    "Look at model versions, and choose which one serves. Keep the registry in order.",
    cls=PluggedGroup,
    epilog="Try version 3 on a tenth of the requests, let it serve, and go back: atoll registry alias m candidate 3; "
    "atoll registry traffic m default=90% candidate=10%; atoll registry promote m candidate --metric rmse "
    "--direction lower; atoll registry rollback m.",
)

Model = Annotated[str, typer.Argument(help="Name of the model.", autocompletion=completing.versioned_models)]


@app.command("list")
def list_models(context: typer.Context, as_json: AsJson = False, url: Url = None) -> None:
    """List the models that have versions.

    \b
    Example:
      atoll registry list
    """
    with connected(context, url) as client:
        models = client.registry()
    if prints_json(context, as_json):
        print_json(models)
    else:
        rows = [
            [
                model["model"],
                model["latest"],
                model["count"],
                _aliases(model["aliases"]),
                _shares(model["traffic"]),
                model["description"][:60],
            ]
            for model in models
        ]
        print_table(["MODEL", "LATEST", "VERSIONS", "ALIASES", "TRAFFIC", "DESCRIPTION"], rows)


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
    """Show a model's versions, newest first, or one of them.

    \b
    Examples:
      atoll registry show sample
      atoll registry show sample 3
    """
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
            _moment(item["created_at"]),
            item["author"],
            item["job_id"],
            ", ".join(f"{name} {_figure(value)}" for name, value in item["metrics"].items()),
            item["description"][:60],
        ]
        for item in told["versions"]
    ]
    print_table(["VERSION", "ALIASES", "CREATED", "AUTHOR", "JOB", "METRICS", "DESCRIPTION"], rows)


@app.command()
def alias(
    context: typer.Context,
    model: Model,
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="`default` is what serves.")],
    version: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Point an alias to a version.

    \b
    Example:
      atoll registry alias sample candidate 3
    """
    with connected(context, url) as client:
        change = client.set_alias(model, name, version)
    _tell(context, change, as_json)


@app.command("convert")
def convert_file(
    file: Annotated[Path, typer.Argument(help="A pickle or joblib file that you trust: opening it runs it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite it.")] = False,
) -> None:
    """Make a pickle or joblib file one that can be uploaded; runs here, and asks no server.

    \b
    Example:
      atoll registry convert model.joblib
    """
    from common.registry.convert import convert

    with telling_errors():
        made = convert(file, output, force=force)
    typer.echo(f"{made.path}  ({made.what} as {made.kind})")


@app.command()
def rollback(
    context: typer.Context,
    model: Model,
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="The alias that goes back.")] = "default",
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Point an alias to what it had before its last move; again, to what it had before that.

    \b
    Example:
      atoll registry rollback sample
    """
    with connected(context, url) as client:
        # What it points to now goes along, so that it goes back once, however often the call arrives.
        current = client.registry(model)["aliases"].get(name)
        change = client.rollback(model, name, current=current)
    _tell(context, change, as_json)


@app.command()
def promote(
    context: typer.Context,
    model: Model,
    metric: Annotated[str, typer.Option(help="Figure that both versions were published with, e.g. rmse.")],
    direction: Annotated[Literal["lower", "higher"], typer.Option(help="Which figure is the better one.")],
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Alias or number of the version that shall serve.")
    ] = "candidate",
    name: Annotated[str, typer.Option("--alias", help="The alias that shall point to it.")] = "default",
    margin: Annotated[float, typer.Option(min=0, help="How much better it has to be, at least.")] = 0.0,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Let a version serve if it is at least as good as the one that does; exit code 1 with both figures if not.

    \b
    Example:
      atoll registry promote sample candidate --metric rmse --direction lower
    """
    which: int | str = int(version) if version.isascii() and version.isdecimal() else version
    with connected(context, url) as client:
        made = client.promote(model, which, metric=metric, direction=direction, alias=name, margin=margin)
    _tell(context, made, as_json)


@app.command()
def traffic(
    context: typer.Context,
    model: Model,
    shares: Annotated[
        list[str] | None,
        typer.Argument(metavar="ALIAS=SHARE...", help="Share of the requests by alias, 0.1 or 10%; together all."),
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Is shown requests too; its answers are compared and counted.")
    ] = None,
    shadow_share: Annotated[str, typer.Option(metavar="SHARE", help="Share of the requests shown to it.")] = "1",
    clear: Annotated[bool, typer.Option("--clear", help="Let `default` answer all requests again.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Share requests that name no version between aliases, such as default=90% candidate=10%; or show how they are.

    \b
    Examples:
      atoll registry traffic sample default=90% candidate=10%
      atoll registry traffic sample --shadow candidate
      atoll registry traffic sample --clear
    """
    weights = dict(_share_of(given) for given in shares or ())
    part = _share(shadow_share, "--shadow-share")
    if clear and (shares or shadow):
        raise typer.BadParameter("give shares, or --clear, not both", param_hint="--clear")
    with connected(context, url) as client:
        if clear:
            client.clear_traffic(model)
            now: dict[str, Any] | None = None
        elif weights or shadow:
            now = client.set_traffic(model, weights or {"default": 1.0}, shadow=shadow, shadow_share=part)
        else:
            now = client.registry(model, limit=1)["traffic"]
    if prints_json(context, as_json):
        print_json(now)
    else:
        typer.echo(f"{model}: {_shares(now) or 'default answers all requests'}")


app.command("describe")(registry_describe.describe)
app.command("delete")(registry_describe.delete)
app.command("drift")(registry_drift.drift)
app.command("sampling")(registry_drift.sampling)
app.command("snapshot")(registry_drift.snapshot)
app.command("verify")(registry_local.verify)
app.command("gc")(registry_local.collect)
app.command("export")(registry_mlflow.export)
app.command("import")(registry_mlflow.import_)


def _tell(context: typer.Context, change: dict[str, Any], as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(change)
        return
    version, previous = change["version"], change["previous"]
    was = "" if previous in (None, version) else f" (was {previous})"
    figures = ""
    if "metric" in change:
        old = change["previous_figure"]
        figures = f"  {change['metric']} {change['figure']:g}" + ("" if old is None else f", before {old:g}")
    typer.echo(f"{change['model']}:{change['alias']} -> {version}{was}{figures}")


def _share_of(given: str) -> tuple[str, float]:
    name, equals, share = given.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{given!r} is not ALIAS=SHARE, e.g. candidate=10%", param_hint="ALIAS=SHARE")
    return name, _share(share, "ALIAS=SHARE")


def _share(given: str, hint: str) -> float:
    try:
        return float(given[:-1]) / 100 if given.endswith("%") else float(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no share; give 0.1 or 10%", param_hint=hint) from None


def _shares(traffic: dict[str, Any] | None) -> str:
    if traffic is None:
        return ""
    told = ", ".join(f"{name} {weight:.6g}" for name, weight in sorted(traffic["weights"].items()))
    if traffic["shadow"] is None:
        return told
    return f"{told}; shadow {traffic['shadow']} {traffic['shadow_share']:.6g}"


def _aliases(aliases: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(aliases.items()))


def _moment(told: str) -> str:
    """A time as the server gave it, to the minute, in this machine's zone."""
    from datetime import datetime

    return f"{datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M}"


def _figure(value: object) -> str:
    """A metric to be read; whoever publishes may have put anything there."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
