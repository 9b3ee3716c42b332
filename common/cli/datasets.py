"""`atoll datasets`: data sets of a server and their files; and building one, from where the plugins know."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import completing
from common.cli.groups import group
from common.cli.quiet import quiet
from common.cli.remote import FAILED, AsJson, Url, connected, ended, print_json, print_table, prints_json
from common.cli.steps import check_base_url, shown, size, steps, telling_errors

if TYPE_CHECKING:
    from common.plugins.pull import Puller

app = group("List data sets, send and fetch their files, or build one.")

Name = Annotated[
    str, typer.Argument(metavar="DATASET", help="Name of the data set.", autocompletion=completing.datasets)
]

_YEARS = "give one year, or two like 2000:2020, the first not after the last"
_EARLIEST, _LATEST = 1800, 2200


@app.command("list")
def list_datasets(context: typer.Context, as_json: AsJson = False, url: Url = None) -> None:
    """List the data sets of a server, their files, and who answers from them.

    \b
    Example:
      atoll datasets list
    """
    with connected(context, url) as client:
        found = client.datasets()
    if prints_json(context, as_json):
        print_json(found)
        return
    rows: list[list[object]] = [
        [
            item["name"],
            item["origin"],
            ", ".join(file["name"] for file in item["files"]),
            size(item["size_bytes"]),
            item["rows"],
            f"{item['years'][0]}-{item['years'][-1]}" if item["years"] else "",
            ", ".join(item["used_by"]),
        ]
        for item in found
    ]
    print_table(["DATASET", "ORIGIN", "FILES", "SIZE", "ROWS", "YEARS", "USED BY"], rows)


@app.command()
def put(
    context: typer.Context,
    dataset: Name,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What to send; each keeps its name.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Write or replace files of a data set on the server's share, each whole or not at all.

    \b
    Example:
      atoll datasets put wine wine.csv
    """
    if "/" in dataset:
        raise typer.BadParameter(f"{dataset!r} is no name of a data set: leave out the slash", param_hint="DATASET")
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise typer.BadParameter(f"{missing} is no file", param_hint="FILE...")
    stored = []
    try:
        with connected(context, url) as client, steps() as report:
            for done, file in enumerate(files):
                report(file.name, done, len(files))
                stored.append(client.put_dataset_file(dataset, file))
            report(dataset, len(files), len(files))
    except OSError as exc:
        raise ended(f"cannot read {exc.filename or 'the files'}: {exc.strerror}", FAILED) from None
    if prints_json(context, as_json):
        print_json(stored)
    else:
        rows: list[list[object]] = [[one["file"], size(one["size_bytes"]), one["sha256"]] for one in stored]
        print_table(["FILE", "SIZE", "SHA-256"], rows)


@app.command()
def get(
    context: typer.Context,
    dataset: Name,
    file: Annotated[str, typer.Argument(help="Name of the file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; by default its own name; - shows it."),
    ] = None,
    url: Url = None,
) -> None:
    """Fetch a file of a data set.

    \b
    Example:
      atoll datasets get wine wine.csv -o copy.csv
    """
    target = output or Path(file)
    with connected(context, url) as client:
        if str(target) == "-":
            print_json(client.dataset_file(dataset, file))
            return
        try:
            client.download_dataset_file(dataset, file, target)
        except OSError as exc:
            raise ended(f"cannot write {target}: {exc.strerror}", FAILED) from None
    typer.echo(f"{target}  {size(target.stat().st_size)}", err=True)


@app.command()
def delete(
    context: typer.Context,
    dataset: Name,
    file: Annotated[str, typer.Argument(help="Name of the file.")],
    url: Url = None,
) -> None:
    """Delete a file of a data set; one without files is none.

    \b
    Example:
      atoll datasets delete wine wine.csv
    """
    with connected(context, url) as client:
        client.delete_dataset_file(dataset, file)
    typer.echo(f"{dataset}/{file} deleted", err=True)


@app.command()
def pull(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Where from; a wrong name lists all.")],
    years: Annotated[str, typer.Option(metavar="FIRST:LAST", help="Years to ask for, both included.")],
    indicators: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODES", help="Codes of the source, by commas, or @FILE with one a line; may be repeated."
        ),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder for the files; by default datasets/ of the checkout.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Another address of the source, e.g. a mirror.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the files that the folder holds.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask anew what was asked in the last day.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build a data set from a public source.

    What was answered is kept for a day: the same command goes on where an interrupted one was.

    \b
    Example:
      atoll datasets pull world-bank --years 2000:2020 --indicators SP.POP.TOTL,EG.ELC.ACCS.ZS
    """
    first, last = _years(years)
    codes = _codes(indicators or [])
    check_base_url(base_url)
    puller = _puller(source)
    from common.plugins.pull import Pull
    from common.settings import CHECKOUT, get_settings

    with telling_errors(), steps() as report:
        told = puller(
            Pull(
                indicators=codes,
                first_year=first,
                last_year=last,
                into=into or CHECKOUT / "datasets",
                cache=get_settings().storage.cache_dir / "pulls",
                address=base_url,
                replace=replace,
                fresh=fresh,
                report=report,
            )
        )
    if prints_json(context, as_json):
        print_json(dict(told))
    else:
        print_table(["SOURCE", source], [[name, shown(value)] for name, value in told.items()])


def _years(text: str) -> tuple[int, int]:
    parts = text.strip().split(":")
    if len(parts) > 2 or not all(part.isascii() and part.isdecimal() and len(part) == 4 for part in parts):
        raise typer.BadParameter(f"{text!r} is no range of years; {_YEARS}", param_hint="--years")
    first, last = int(parts[0]), int(parts[-1])
    if not _EARLIEST <= first <= last <= _LATEST:
        raise typer.BadParameter(
            f"{text!r} is out of order or of {_EARLIEST} to {_LATEST}; {_YEARS}", param_hint="--years"
        )
    return first, last


def _codes(given: list[str]) -> tuple[str, ...]:
    """Each code once, in the order given."""
    found: list[str] = []
    for text in given:
        if text.startswith("@"):
            try:
                text = Path(text[1:]).read_text(encoding="utf-8").replace("\n", ",")
            except (OSError, UnicodeDecodeError) as exc:
                raise typer.BadParameter(f"{text[1:]} cannot be read: {exc}", param_hint="--indicators") from None
        found += (code for part in text.split(",") if (code := part.strip()))
    if given and not found:
        raise typer.BadParameter("names no code", param_hint="--indicators")
    return tuple(dict.fromkeys(found))


def _puller(source: str) -> "Puller":
    from common.plugins.discovery import discover
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    # Whether this machine serves the plugin does not matter: the files may be for another.
    plugins = get_settings().plugins.model_copy(update={"service_model": ()})
    pulls: Mapping[str, Puller] = {
        name: function for record in discover(plugins) for name, function in record.plugin.pulls.items()
    }
    if source not in pulls:
        known = ", ".join(sorted(pulls)) or "none is installed"
        raise typer.BadParameter(f"no source {source!r}; there are: {known}", param_hint="SOURCE")
    return pulls[source]
