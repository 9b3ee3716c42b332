"""`atoll registry drift` and `sampling`: what a model is asked, beside what it was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import FAILED, AsJson, Url, connected, ended, print_json, print_table, prints_json

if TYPE_CHECKING:
    from common.client import Client


def drift(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="MODEL[:VERSION]", help="A number or an alias; by default `default`.")],
    against: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Compare with the kept rows of this version instead.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Only rows of the last hours.")] = None,
    min_rows: Annotated[int | None, typer.Option(min=20, help="Rows that each side must have; 200 by default.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Compare what a version is asked and answers with what it was trained on, the most changed column first.

    \b
    Example:
      atoll registry drift sample:3 --hours 24
    """
    model, _, which = name.partition(":")
    with connected(context, url) as client:
        version = _number(client, model, which or "default")
        other = None if against is None else _number(client, model, against)
        told = client.drift(model, version, against=other, hours=hours, min_rows=min_rows)
    if prints_json(context, as_json):
        print_json(told)
        return
    rows: list[list[object]] = [
        [
            item["column"],
            item["verdict"],
            f"{item['psi']:.3f}",
            f"{item['test']} {item['statistic']:.3g}",
            f"{item['p_value']:.2g}",
            f"{_figure(item['mean_reference'])} -> {_figure(item['mean'])}",
            f"{item['missing']:.1%}" if item["missing"] else "",
        ]
        for item in told["columns"]
    ]
    print_table(["COLUMN", "VERDICT", "PSI", "TEST", "P", "MEAN", "MISSING"], rows)
    beside = "rows of its training" if against is None else f"rows of version {told['against']}"
    typer.echo(f"{model}:{version} {told['verdict']}: {told['rows']} rows beside {told['rows_reference']} {beside}")


def sampling(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="Keep this share of the rows from now on; 0 keeps no more.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Input, output or column never kept; may be repeated.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Keep its texts, not their lengths alone; may be repeated.")
    ] = None,
    max_rows: Annotated[int | None, typer.Option(min=1, help="Newest rows kept of each version.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Keep no more, and delete what was kept.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Say what is kept of a model's requests, or show it. Nothing is unless the server has SAMPLING=true.

    \b
    Example:
      atoll registry sampling sample --fraction 0.1
    """
    if fraction is None and (drop or text or max_rows is not None):
        raise typer.BadParameter("give --fraction too: what is said takes the place of all before", param_hint="--drop")
    if delete and fraction is not None:
        raise typer.BadParameter("give --fraction or --delete, not both", param_hint="--delete")
    with connected(context, url) as client:
        if delete:
            client.clear_sampling(model)
        elif fraction is not None:
            client.set_sampling(model, fraction, drop=drop or (), texts=text or (), max_rows=max_rows)
        told = client.sampling(model)
    if prints_json(context, as_json):
        print_json(told)
        return
    dropped = f", without {', '.join(told['drop'])}" if told["drop"] else ""
    state = f"{told['fraction']:.6g} of the rows are kept{dropped}" if told["active"] else "nothing is kept"
    typer.echo(f"{model}: {state}")
    if told["unknown"]:
        typer.echo(f"  the newest version has no {', '.join(told['unknown'])}; are they misspelled?", err=True)
    if told["versions"]:
        rows = [[item["version"], item["rows"], item["size_bytes"], item["newest"]] for item in told["versions"]]
        print_table(["VERSION", "ROWS", "BYTES", "NEWEST"], rows)


def snapshot(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    file: Annotated[Path, typer.Argument(help="Rows that it was trained on: CSV with a header.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Give a version rows that it was trained on, which `drift` compares with. Once: a version does not change.

    \b
    Example:
      atoll registry snapshot sample 3 training.csv
    """
    with connected(context, url) as client:
        told = client.add_snapshot(model, version, thinned(file))
    if prints_json(context, as_json):
        print_json(told)
    else:
        typer.echo(told_of(told))


def told_of(told: dict[str, Any]) -> str:
    ignored = f"; no input is {', '.join(told['ignored'][:5])}" if told["ignored"] else ""
    return f"{told['model']}:{told['version']} keeps {told['rows']} rows of {len(told['columns'])} columns{ignored}"


def thinned(file: Path, most: int = 5000, seed: int = 0) -> bytes:
    """The header and at most so many lines of a CSV file, evenly drawn; of any size, in little memory.

    Ends the command where it cannot be read.
    """
    import csv
    import io
    import random

    draw = random.Random(seed)  # a sample, no secret
    kept: list[list[str]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            # Vitter's algorithm R (Random sampling with a reservoir, 1985).
            for count, row in enumerate(row for row in reader if row):
                if count < most:
                    kept.append(row)
                elif (place := draw.randrange(count + 1)) < most:
                    kept[place] = row
    except OSError as exc:
        raise ended(f"{file} cannot be read: {exc.strerror}", FAILED) from None
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ended(f"{file} is no CSV in UTF-8: {exc}", FAILED) from None
    written = io.StringIO()
    csv.writer(written).writerows([header, *kept])
    return written.getvalue().encode()


def _number(client: "Client", model: str, which: str) -> int:
    if which.isascii() and which.isdecimal():
        return int(which)
    aliases: dict[str, int] = client.registry(model, limit=1)["aliases"]
    if which not in aliases:
        has = ", ".join(sorted(aliases)) or "none"
        raise ended(f"{model} has no alias {which!r}; it has {has}", FAILED)
    return aliases[which]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
