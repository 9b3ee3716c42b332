"""`atoll audit` and `atoll settings`: who did what, and what is configured."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import AsJson, Url, connected, print_json, print_table, prints_json

if TYPE_CHECKING:
    from common.settings.view import SettingsInfo

_PAGE = 500
Local = Annotated[bool, typer.Option("--local", help="Read the database of this machine's settings; needs no key.")]


def audit(
    context: typer.Context,
    who: Annotated[str | None, typer.Option(help="Id or name of who did it.")] = None,
    action: Annotated[str | None, typer.Option(help="E.g. key.created, or key for all of keys.")] = None,
    outcome: Annotated[str | None, typer.Option(help="done, refused or failed.")] = None,
    after: Annotated[str | None, typer.Option(help="From this time on, e.g. 2026-01-31T12:00:00Z.")] = None,
    before: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    local: Local = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show who did what, newest first. Asks a server, and needs the scope admin; --local does not.

    \b
    Examples:
      atoll audit --action key --after 2026-01-31T12:00:00Z
      atoll audit --outcome refused --limit 10 --json
    """
    wanted = {"who": who, "action": action, "outcome": outcome, "after": after, "before": before}
    found = _local(wanted, limit) if local else _asked(context, url, wanted, limit)
    if prints_json(context, as_json):
        print_json(found)
        return
    for item in found:
        typer.echo(_line(item))


def settings(
    context: typer.Context,
    only_set: Annotated[bool, typer.Option("--set", help="Only those that are not at their default.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings that a server started here would have. Secrets are left out.

    \b
    Examples:
      atoll settings --set
      PORT=8080 atoll settings --json | jq '.areas[].settings[] | select(.source != "default")'
    """
    import os

    from common.settings import get_settings
    from common.settings.view import describe

    told = describe(get_settings(), os.environ)
    if prints_json(context, as_json):
        print_json(told.model_dump())
        return
    _print_settings(told, only_set=only_set)


def _line(item: dict[str, Any]) -> str:
    """A record on a line of its own, which no terminal squeezes; nothing in it steers one."""
    from common.client.progress import plain

    by = item["by"]
    who = by["name"] or by["id"] or by["kind"]
    parts = [
        item["at"][:19].replace("T", " "),
        f"{item['action']:<18} {item['target']}",
        f"by {who}" + (f" from {item['address']}" if item["address"] else ""),
        "" if item["outcome"] == "done" else item["outcome"],
        " ".join(f"{name}={value}" for name, value in item["details"].items()),
    ]
    return plain("  ".join(part for part in parts if part))


def _print_settings(told: "SettingsInfo", *, only_set: bool) -> None:
    rows: list[list[object]] = [
        [item.name, _shown(item.value), item.source, item.no_effect and f"no effect: {item.no_effect}"]
        for area in told.areas
        for item in area.settings
        if not only_set or item.source != "default"
    ]
    print_table(["SETTING", "VALUE", "FROM", ""], rows)
    for name, setting in told.unknown.items():
        typer.echo(f"atoll: {name} is no setting; do you mean {setting}?", err=True)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _asked(context: typer.Context, url: str | None, wanted: dict[str, str | None], limit: int) -> list[dict[str, Any]]:
    with connected(context, url) as client:
        return list(islice(client.audit(**wanted, page_size=min(_PAGE, limit)), limit))


def _local(wanted: dict[str, str | None], limit: int) -> list[dict[str, Any]]:
    from common.database import Database
    from common.security.audit.definitions import RecordInfo
    from common.security.audit.trail import Trail, Wanted
    from common.settings import get_settings

    after, before = (_moment(wanted[name]) for name in ("after", "before"))
    database = Database.build(get_settings())
    try:
        database.migrate()
        chosen = Wanted(wanted["who"], wanted["action"], wanted["outcome"], after, before)
        return [RecordInfo.of(record).model_dump(mode="json") for record in Trail(database).list(chosen, None, limit)]
    finally:
        database.close()


def _moment(given: str | None) -> Any:
    from datetime import datetime

    try:
        return None if given is None else datetime.fromisoformat(given).astimezone()
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no time, e.g. 2026-01-31T12:00:00Z") from None
