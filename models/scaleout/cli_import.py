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
# What is sent at once: some MB of JSON, with some 400 bytes a stage and 200 a job.
_RUNS_AT_ONCE, _PARTS_AT_ONCE = 100, 10_000


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
        except OSError as exc:
            raise ended(f"{exc.filename} cannot be read: {exc.strerror}", FAILED) from None
        for why in refused.values():
            typer.echo(f"left out: {why}", err=True)
        if not runs:
            raise ended(f"there are no runs in {', '.join(map(str, paths))}", FAILED)
        sent = send(client, runs)
    if prints_json(context, as_json):
        print_json({**sent, "refused": refused})
    else:
        count = sent["imported"]
        typer.echo(f"{client.url} knows {count} run{'' if count == 1 else 's'} with {sent['jobs']} jobs from here")


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
        except OSError as exc:
            if path in paths:
                raise
            refused[path.name] = f"{path.name} cannot be read: {exc.strerror}"
    return runs, refused


def send(client: "Client", runs: "Sequence[Application]") -> dict[str, int]:
    """How many runs and jobs the server has taken. Runs are merged there, so that a long one may come in pieces."""
    jobs = 0
    for portion in portions(runs):
        jobs += client.predict(_ROUTE, {"applications": portion})["jobs"]
    return {"imported": len({run.execution_id for run in runs}), "jobs": jobs}


def portions(runs: "Sequence[Application]") -> Iterator[list[dict[str, Any]]]:
    """Runs as the route takes them, so many of their jobs and stages at once as fit into a request."""
    from models.scaleout.rows import told_of

    portion: list[dict[str, Any]] = []
    parts = 0
    for run in runs:
        told, jobs = told_of(run)
        piece: dict[str, Any] = {**told, "jobs": []}
        if len(portion) == _RUNS_AT_ONCE or any(one["execution_id"] == told["execution_id"] for one in portion):
            yield portion
            portion, parts = [], 0
        portion.append(piece)
        for job in jobs:
            size = 1 + len(job["stages"])
            if parts and parts + size > _PARTS_AT_ONCE:
                yield portion
                piece = {**told, "jobs": []}
                portion, parts = [piece], 0
            piece["jobs"].append(job)
            parts += size
    if portion:
        yield portion


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
