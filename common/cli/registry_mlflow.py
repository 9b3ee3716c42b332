"""`atoll registry export` and `import`: versions as MLflow keeps models."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.registry_local import opened
from common.cli.remote import AsJson, Url, connected, print_json, prints_json
from common.cli.steps import telling_errors

if TYPE_CHECKING:
    from common.registry.mlflow.directory import Found
    from common.registry.mlflow.server import TrackingServer

Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URL",
        help="Address of an MLflow tracking server [MLFLOW_TRACKING_URI]; MLFLOW_TRACKING_USERNAME and _PASSWORD, or "
        "_TOKEN, are sent to it.",
    ),
]


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Number or alias of the version.")] = "default",
    into: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder for an MLflow model; must not be there yet.")
    ] = None,
    tracking_uri: Tracking = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the model on the tracking server (default: that of the model)."),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Write a version as an MLflow model: into a folder, or as a new version on a tracking server.

    ONNX, skops, LightGBM and XGBoost files open there with MLflow's own flavors; anything else is kept, and read back
    by atoll registry import.

    \b
    Example:
      atoll registry export sample default --to ./mlflow-model
    """
    from common.registry.mlflow import directory
    from common.registry.versions import Version

    if into is None and _uri(tracking_uri) is None:
        raise typer.BadParameter("give --to DIR, --tracking-uri URL, or both", param_hint="--to")
    if into is not None and into.exists():
        raise typer.BadParameter(f"{into} is there already", param_hint="--to")
    told: dict[str, Any] = {"model": model}
    with telling_errors(), tempfile.TemporaryDirectory() as scratch, connected(context, url) as client:
        entry = client.registry(model, limit=1)
        number = _number(version, entry["aliases"])
        found = Version.model_validate(client.registry(model, number))
        folder = into or Path(scratch) / "model"
        directory.write(found, lambda artefact: client.artefact(model, number, artefact), folder)
        told |= {"version": number, "folder": None if into is None else str(into)}
        if (uri := _uri(tracking_uri)) is not None:
            aliases = [alias for alias, pointed in entry["aliases"].items() if pointed == number]
            registered = name or model
            with _server(uri) as server:
                made = server.register(registered, found, folder, aliases)
            told |= {"tracking_uri": uri, "registered": f"models:/{registered}/{made}"}
    if prints_json(context, as_json):
        print_json(told)
    else:
        places = [place for place in (told["folder"], told.get("registered")) if place]
        typer.echo(f"{model}:{number} -> {', '.join(places)}")


def import_(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Folder of an MLflow model; or models:/name/3 or models:/name@alias of the server.")
    ],
    model: Annotated[
        str,
        typer.Argument(
            help="PLUGIN.TAG, e.g. hosted.iris, uploads the file to the server, which checks it; any other name is "
            "published as it is, in the registry of this machine."
        ),
    ],
    alias: Annotated[str | None, typer.Option(help="Point this alias to the new version.")] = None,
    tracking_uri: Tracking = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Publish an MLflow model as a new version. Pickles are refused; atoll registry convert tells what to do.

    \b
    Example:
      atoll registry import ./mlflow-model hosted.iris
    """
    from common.registry.gate import figures
    from common.registry.mlflow import directory

    with telling_errors(), tempfile.TemporaryDirectory() as scratch:
        folder, fetched = Path(source), dict[str, Any]()
        if source.startswith("models:/"):
            uri = _uri(tracking_uri)
            if uri is None:
                raise typer.BadParameter(
                    "name the tracking server of a models:/ reference", param_hint="--tracking-uri"
                )
            folder = Path(scratch) / "model"
            with _server(uri) as server:
                fetched = server.fetch(source, folder)
        found = directory.read(folder)
        plugin, dot, tag = model.partition(".")
        description = str(found.about.get("description") or fetched.get("description") or "")
        if dot:
            metrics = figures(found.metrics or fetched.get("metrics") or {})
            told = _upload(context, url, plugin, tag, found, description, metrics, alias)
        else:
            told = _publish(model, found, description, fetched, alias)
    if prints_json(context, as_json):
        print_json(told)
    else:
        typer.echo(f"{model}:{told['version']}" + (f" ({alias})" if alias else ""))


def _upload(
    context: typer.Context,
    url: str | None,
    plugin: str,
    tag: str,
    found: "Found",
    description: str,
    metrics: dict[str, float],
    alias: str | None,
) -> dict[str, Any]:
    """To the plugin that takes models, by the route that checks them."""
    from urllib.parse import quote

    from common.client.calls import Call, Repeat
    from common.errors import Invalid

    if found.main is None:
        raise Invalid(f"the folder holds no file that {plugin} opens, but {', '.join(sorted(found.artefacts))}")
    query = {
        "filename": found.main,
        "library_version": found.library_version,
        "model_description": description or None,
        "metrics": json.dumps(metrics) if metrics else None,
        "alias": alias,
    }
    with connected(context, url) as client:
        call = Call(
            "POST",
            f"/{quote(plugin)}/models/{quote(tag)}",
            {name: value for name, value in query.items() if value is not None},
            {"Content-Type": "application/octet-stream"},
            found.artefacts[found.main].read_bytes(),
            # It may have become a version, and would become another one.
            repeat=Repeat.UNLESS_SENT,
        )
        told: dict[str, Any] = client.run(client.flows.send(call)).value
    return told


def _publish(
    model: str, found: "Found", description: str, fetched: dict[str, Any], alias: str | None
) -> dict[str, Any]:
    """Into the database and the share that this machine's settings name."""
    from common.version import VERSION

    with opened() as (registry, _):
        version = registry.publish(
            model,
            found.artefacts,
            author=str(found.about.get("author") or "atoll registry import"),
            code_version=str(found.about.get("code_version") or VERSION),
            metrics=found.metrics or fetched.get("metrics"),
            data_hash=found.about.get("data_hash"),
            alias=alias,
            signature=found.signature,
            description=description,
            tags=found.about.get("tags") or {},
            library=found.library,
            library_version=found.library_version,
        )
    return {"model": model, "version": version.number, "aliases": [alias] if alias else []}


def _number(version: str, aliases: dict[str, int]) -> int:
    if version.isascii() and version.isdecimal():
        return int(version)
    if version not in aliases:
        has = ", ".join(sorted(aliases)) or "none"
        raise typer.BadParameter(f"there is no alias {version!r}; the model has {has}", param_hint="VERSION")
    return aliases[version]


def _uri(given: str | None) -> str | None:
    uri = given or os.environ.get("MLFLOW_TRACKING_URI", "").strip() or None
    if uri is not None and not uri.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"{uri!r} is no address that begins with http:// or https://", param_hint="--tracking-uri"
        )
    return uri


def _server(uri: str) -> "TrackingServer":
    from common.registry.mlflow.server import TrackingServer

    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    user, password, token = (os.environ.get(name) or None for name in names)
    return TrackingServer(uri, user=user, password=password, token=token)
