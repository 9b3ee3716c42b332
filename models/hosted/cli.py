"""`atoll registry push`: a model from this machine becomes a version on a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.registry_drift import thinned, told_of
from common.cli.remote import FAILED, AsJson, Url, connected, ended, print_json, prints_json
from common.cli.steps import steps
from common.client import AtollClientError

if TYPE_CHECKING:
    from common.client import Client

_PICKLES = (".pkl", ".pickle", ".joblib")


def push(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The model: .onnx, .skops, .txt, .json, .ubj, .zip.")],
    name: Annotated[str, typer.Option(metavar="TAG", help="Tag on the server: digits, lower-case letters and `-`.")],
    description: Annotated[str | None, typer.Option(help="What is special about this version.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="What was measured; may be repeated.")
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option(help="Alias that points to the new version, e.g. `candidate`; the first version is `default`."),
    ] = None,
    library_version: Annotated[str | None, typer.Option(help="Where the file does not tell it, e.g. `1.9.1`.")] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that it was trained on, as CSV: `atoll registry drift`.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Upload a model. It is loaded and run by the server before it becomes a version, and answers at once."""
    if file.suffix.lower() in _PICKLES:
        raise ended(
            f"{file.name} is a pickle, which servers do not open; convert it first: atoll registry convert {file}",
            FAILED,
        )
    details = {
        "model_description": description,
        "metrics": _metrics(metric or []),
        "alias": alias,
        "library_version": library_version,
    }
    # Before the upload, so that nothing is left half done where it cannot be read.
    rows = None if snapshot is None else thinned(snapshot)
    from models.hosted.push import push as pushed

    try:
        with connected(context, url) as client, steps() as told:
            made = client.run(pushed(client.flows, file, name, details, told))
            if rows is not None:
                made["snapshot"] = _with_snapshot(client, made, rows)
    except OSError as exc:
        raise ended(f"{file} cannot be read: {exc.strerror}", FAILED) from None
    if prints_json(context, as_json):
        print_json(made)
        return
    aliases = f" ({', '.join(made['aliases'])})" if made["aliases"] else ""
    typer.echo(f"{made['ref']}{aliases}: {made['format']}, {_tensors(made['inputs'])} -> {_tensors(made['outputs'])}")
    for note in made["notes"]:
        typer.echo(f"  {note}")
    if "snapshot" in made:
        typer.echo(f"  {told_of(made['snapshot'])}")
    row = "[" + ", ".join(["0"] * max(1, made["inputs"][0]["shape"][-1] if made["inputs"] else 1)) + "]"
    ref = made["tag"] if "default" in made["aliases"] else made["ref"]
    typer.echo(f"ask it: curl {client.url}/hosted/models/{ref}/predict \\")
    typer.echo(f"  -H 'Content-Type: application/json' -d '{{\"values\": {row}}}'")


def _with_snapshot(client: "Client", made: dict[str, Any], rows: bytes) -> dict[str, Any]:
    try:
        return client.add_snapshot(f"hosted.{made['tag']}", made["version"], rows)
    except AtollClientError:
        again = f"atoll registry snapshot hosted.{made['tag']} {made['version']} FILE"
        typer.echo(f"{made['ref']} is published, but without the rows of its training; send them by {again}", err=True)
        raise


def _metrics(given: list[str]) -> dict[str, float]:
    found = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not NAME=NUMBER", param_hint="--metric") from None
    return found


def _tensors(found: list[dict[str, object]]) -> str:
    return ", ".join(f"{item['name']} {item['type']}{item['shape']}" for item in found)
