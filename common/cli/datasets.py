"""`atoll datasets`: data sets of this machine. Where they come from, the plugins know."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.quiet import quiet
from common.cli.remote import AsJson, print_json, print_table, prints_json
from common.cli.steps import check_base_url, shown, steps, telling_errors

if TYPE_CHECKING:
    from common.plugins.pull import Puller

app = typer.Typer(help="Build data sets.", no_args_is_help=True)

_YEARS = "give one year, or two like 2000:2020, the first not after the last"
_EARLIEST, _LATEST = 1800, 2200


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
