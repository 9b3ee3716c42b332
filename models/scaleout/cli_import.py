"""`atoll scaleout import`: runs from Spark's event logs or from MongoDB, into a server."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import FAILED, AsJson, Url, connected, ended, print_json, prints_json
from common.errors import Invalid

if TYPE_CHECKING:
    from common.client import Client
    from models.scaleout.records import Application

_ROUTE = "/scaleout/applications"
# What is sent at once: some MB of JSON.
_AT_ONCE = 10


def import_(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|DIR",
            help="Event logs of Spark (plain, .gz, .zstd, rolled), files of mongoexport, or folders of either.",
        ),
    ],
    watch: Annotated[bool, typer.Option("--watch", help="Go on with the logs that appear in the folder.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Bring runs in. Sending the same again changes nothing."""
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        raise ended(f"there is no {absent[0]}", FAILED)
    if watch and not (len(paths) == 1 and paths[0].is_dir()):
        raise ended("--watch takes one folder", FAILED)
    with connected(context, url) as client:
        if watch:
            _follow(client, paths[0])
            return
        try:
            runs, refused = found(paths)
        except Invalid as exc:
            raise ended(exc.detail, FAILED) from None
        sent = send(client, runs)
    if prints_json(context, as_json):
        print_json({**sent, "refused": refused})
    else:
        typer.echo(f"{sent['imported']} runs with {sent['jobs']} jobs are known to {client.url}")
    for name, why in refused.items():
        typer.echo(f"left out: {name}: {why}", err=True)
    if refused and not runs:
        raise typer.Exit(FAILED)


def found(paths: Sequence[Path]) -> "tuple[list[Application], dict[str, str]]":
    """The runs in files and folders, and why logs were left out, by name.

    Raises
    ------
    Invalid
        A file that was named, or one of mongoexport's, cannot be read.
    """
    from models.scaleout.importing import eventlog, mongo

    exports = [path for path in _each(paths) if path.is_file() and mongo.is_export(path)]
    runs = mongo.read(exports)
    refused: dict[str, str] = {}
    for path in _each(paths):
        if path in exports:
            continue
        try:
            runs.append(eventlog.read(path))
        except Invalid as exc:
            if path in paths:
                raise
            refused[path.name] = exc.detail
    return runs, refused


def send(client: "Client", runs: "Sequence[Application]") -> dict[str, int]:
    """What the server answers, all portions together."""
    from models.scaleout.rows import told_of

    total = {"imported": 0, "jobs": 0}
    for first in range(0, len(runs), _AT_ONCE):
        portion: list[dict[str, Any]] = []
        for run in runs[first : first + _AT_ONCE]:
            told, jobs = told_of(run)
            portion.append({**told, "jobs": jobs})
        answer = client.predict(_ROUTE, {"applications": portion})
        total = {name: count + answer[name] for name, count in total.items()}
    return total


def _follow(client: "Client", folder: Path) -> None:
    from models.scaleout.importing.watch import Watch

    def take(run: "Application") -> None:
        sent = send(client, [run])
        typer.echo(f"{run.application_id or run.execution_id}: {sent['jobs']} jobs")

    typer.echo(f"looking for event logs in {folder}; Ctrl-C ends it", err=True)
    Watch(folder, take, folder / ".atoll-imported.json").follow(threading.Event())


def _each(paths: Sequence[Path]) -> Iterator[Path]:
    """The files, and those of folders that may be logs."""
    from models.scaleout.importing.lines import is_event_log, logs_in

    for path in paths:
        if path.is_dir() and not is_event_log(path):
            yield from logs_in(path)
        else:
            yield path
