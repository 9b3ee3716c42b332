"""`atoll models`: those of a server or of this machine, and versions made from weights that others have trained."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.groups import group
from common.cli.quiet import quiet
from common.cli.remote import FAILED, AsJson, Coloured, Url, connected, print_json, print_table, prints_json
from common.cli.steps import check_base_url, shown, steps, telling_errors

if TYPE_CHECKING:
    from common.plugins.pull import ModelPuller, PulledModel

app = group("List the models, here or of a server, or pull one.", no_args_is_help=False)

_HASH = re.compile(r"([^=]+)=([0-9a-fA-F]{64})")


_COLOURS = {"ready": "green", "loading": "yellow", "unavailable": "red"}
Here = Annotated[bool, typer.Option("--local", help="Those found on this machine, whatever server is named.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, here: Here = False, as_json: AsJson = False, url: Url = None) -> None:
    """List the models, here or of a server, or pull one.

    Those of the server that --url or ATOLL_URL names; without one those found on this machine, which reads no data and
    needs no server. Exit code 1 if a model cannot be imported here.

    \b
    Examples:
      atoll models
      atoll models --url https://atoll.example
      atoll models pull sentiment
    """
    if context.invoked_subcommand is not None:
        return
    named = url or context.obj.url or os.environ.get("ATOLL_URL")
    if named and not here:
        with connected(context, url) as client:
            _print(context, as_json, client.models())
        return
    found = _found_here()
    _print(context, as_json, found)
    if any(item["state"] == "unavailable" for item in found):
        raise typer.Exit(FAILED)


def _found_here() -> list[dict[str, Any]]:
    from common.plugins.discovery import discover
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    return [
        {
            "name": record.name,
            "title": record.title,
            "state": "unavailable" if record.router is None else "found",
            "reason": record.reason,
        }
        for record in discover(get_settings().plugins)
    ]


def _print(context: typer.Context, as_json: bool, found: list[dict[str, Any]]) -> None:
    if prints_json(context, as_json):
        print_json(found)
        return
    rows: list[list[object]] = [
        [item["name"], item["title"], Coloured(item["state"], _COLOURS.get(item["state"], "")), item.get("reason")]
        for item in found
    ]
    print_table(["MODEL", "TITLE", "STATE", "TOLD"], rows)


@app.command()
def pull(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model here; a wrong one lists those that can be pulled.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="HUB_ID|DIR", help="An id of the hub, or a folder; by default the model's own."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="SHA", help="Commit, branch or tag of the hub; name a commit to be sure.")
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=HEX", help="What a file has to be; may be repeated. SHA256SUMS in a folder counts."),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Texts to compare on: a label (0, 1), a tab, a text a line; .gz too."),
    ] = None,
    max_difference: Annotated[
        float, typer.Option(min=0, max=1, help="Refuse a model of which a score is farther from the original's.")
    ] = 0.2,
    mean_difference: Annotated[
        float, typer.Option(min=0, max=1, help="Refuse one whose scores are, on average, farther.")
    ] = 0.02,
    bits: Annotated[
        int,
        typer.Option(
            min=7, max=8, help="Of the weights: 7 is right on every processor, 8 needs one with VNNI, or Arm."
        ),
    ] = 7,
    alias: Annotated[str, typer.Option(help="Alias that points to the new version; `default` serves it.")] = "default",
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the files there instead, e.g. when an image is built; register nothing."
        ),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Another address of the hub, e.g. a mirror.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version of a model from weights that others have trained.

    The files are checked, made small and fast to serve, compared with the original, and registered: every process that
    serves the model takes the version within a second. Nothing that was downloaded is run, and no pickle is read.

    \b
    Examples:
      atoll models pull sentiment
      atoll models pull sentiment --from ./my-distilbert --sample dev.tsv
      atoll models pull sentiment --from OWNER/NAME --revision COMMIT --into models/sentiment/baked
    """
    hashes = _hashes(sha256 or [])
    check_base_url(base_url)
    puller = _puller(model)
    from common.plugins.pull import ModelPull
    from common.settings import get_settings

    with telling_errors():
        with steps() as report:
            asked = ModelPull(
                source,
                revision,
                hashes,
                base_url,
                sample,
                max_difference,
                mean_difference,
                bits,
                cache=get_settings().storage.cache_dir / "pulls",
                report=report,
            )
            pulled = puller(asked)
        told = dict(pulled.told)
        if into is not None:
            _write(pulled, into)
            told["written to"] = str(into)
        else:
            told["version"] = _register(model, pulled, alias)
            told["alias"] = alias
    if prints_json(context, as_json):
        print_json(told)
    else:
        print_table(["MODEL", model], [[name, shown(value)] for name, value in told.items()])


def _hashes(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        match = _HASH.fullmatch(text.strip())
        if match is None:
            raise typer.BadParameter(f"{text[:80]!r} is not FILE=SHA256, 64 hex digits", param_hint="--sha256")
        found[match[1]] = match[2].lower()
    return found


def _puller(model: str) -> "ModelPuller":
    from common.plugins.discovery import discover
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    # Whether this machine serves the model does not matter: others may.
    plugins = get_settings().plugins.model_copy(update={"service_model": ()})
    pulls: Mapping[str, ModelPuller | None] = {record.name: record.plugin.pull_model for record in discover(plugins)}
    found = pulls.get(model)
    if found is None:
        known = ", ".join(sorted(name for name, puller in pulls.items() if puller)) or "none is installed"
        raise typer.BadParameter(f"{model!r} cannot be pulled; those that can: {known}", param_hint="MODEL")
    return found


def _write(pulled: "PulledModel", into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for name, content in pulled.artefacts.items():
        (into / name).write_bytes(content)


def _register(model: str, pulled: "PulledModel", alias: str) -> int:
    """In the database and on the share that this machine is set up for, as a server here would be."""
    from common.database import Database
    from common.registry.service import Registry
    from common.settings import get_settings
    from common.storage import Blobs, open_share
    from common.version import VERSION

    settings = get_settings()
    database = Database(settings.database_url)
    try:
        database.migrate()
        registry = Registry(database, Blobs(open_share(settings.storage), settings.storage.cache_dir))
        version = registry.publish(
            model,
            pulled.artefacts,
            author="atoll models pull",
            code_version=VERSION,
            metrics=pulled.metrics,
            data_hash=pulled.data_hash,
            alias=alias,
        )
    finally:
        database.close()
    return version.number
