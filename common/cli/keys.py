"""`atoll keys`: who may call, and what they may do."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.groups import group
from common.cli.remote import FAILED, AsJson, Url, connected, ended, print_json, print_table, prints_json

if TYPE_CHECKING:
    from datetime import datetime

    from common.client import Client
    from common.security.keys.local import LocalKeys

app = group(
    "Make API keys, see who uses which, end them.",
    epilog="A key is sent as `Authorization: Bearer <key>`; these commands and the Python client take it from "
    "ATOLL_KEY. To change a key: make a new one, give it to whoever uses the old one, look at LAST USED until nobody "
    "does, and revoke the old one. Whoever has lost all keys gets in with --local, where the server runs.",
)

_FOR = "a time like 12h, 90d or 4w, or until one like 2030-01-31 or 2030-01-31T12:00:00Z"
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the key, or what it begins with: atl_ and the id.")]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Ask no server: change the database itself, with the server's settings (DATABASE_URL or ATOLL_STATE), "
        "where it runs. Needs no key.",
    ),
]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people: who or what will use it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="predict, train, submit, or admin, which has all; may be repeated. Default: predict."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that it may use; may be repeated. Default: all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help=f"It lives for {_FOR}. Default: for ever.")
    ] = None,
    only_key: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the key.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Make a key, and print it. It is shown this once: only its hash is kept.

    \b
    Examples:
      atoll keys create dashboard --model sample --expires 90d
      key=$(atoll keys create ci --scope train --scope predict --quiet)
    """
    end = _end(expires)
    with _opened(context, url, local) as keys:
        made = keys.create_key(name, scopes=scope, models=model, expires_at=end)
    if only_key:
        typer.echo(made["key"])
    elif prints_json(context, as_json):
        print_json(made)
    else:
        may = f"{', '.join(made['scopes'])}{_of_models(made)}"
        until = f" until {_moment(made['expires_at'])}" if made["expires_at"] else ""
        typer.echo(made["key"])
        typer.echo(f"This is the only time it is shown. {made['name']!r} may {may}{until}.", err=True)


@app.command("list")
def list_keys(
    context: typer.Context,
    all_keys: Annotated[
        bool, typer.Option("--all", "-a", help="Those that were revoked in the last 30 days too.")
    ] = False,
    local: Local = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List keys, newest first, without their secrets.

    \b
    Example:
      atoll keys list --all
    """
    with _opened(context, url, local) as keys:
        found = list(keys.list_keys(with_revoked=all_keys))
    if prints_json(context, as_json):
        print_json(found)
        return
    rows: list[list[object]] = [
        [
            key["prefix"],
            key["name"],
            ", ".join(key["scopes"]),
            "all" if key["models"] is None else ", ".join(key["models"]),
            _ends(key),
            _moment(key["last_used_at"]) or "never",
        ]
        for key in found
    ]
    print_table(["KEY", "NAME", "SCOPES", "MODELS", "ENDS", "LAST USED"], rows)


@app.command()
def show(
    context: typer.Context,
    key_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Id of the key, or what it begins with. Default: that of ATOLL_KEY."),
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show a key without its secret; or, without an ID, who you are to the server and what you may do.

    \b
    Examples:
      atoll keys show
      atoll keys show atl_4f6c9d1e2b3a
    """
    if key_id is None and local:
        raise typer.BadParameter("--local needs one: nobody calls there", param_hint="ID")
    with _opened(context, url, local) as keys:
        told: dict[str, Any] = keys.key(key_id) if key_id is not None else keys.whoami()  # type: ignore[union-attr]  # not with `--local`
    _show(context, told, as_json)


@app.command()
def revoke(context: typer.Context, key_id: Id, local: Local = False, as_json: AsJson = False, url: Url = None) -> None:
    """End a key for good, in every process within 5 s. Jobs that it has running go on; those queued will be refused.

    \b
    Example:
      atoll keys revoke atl_4f6c9d1e2b3a
    """
    with _opened(context, url, local) as keys:
        told = keys.revoke_key(key_id)
    if prints_json(context, as_json):
        print_json(told)
    else:
        typer.echo(f"{told['prefix']}  {told['name']}  revoked {_moment(told['revoked_at'])}")


@contextlib.contextmanager
def _opened(context: typer.Context, url: str | None, local: bool) -> "Iterator[Client | LocalKeys]":
    """The keys of a server, or of the database that this machine's settings name."""
    if not local:
        from common.client import AtollClientError

        with connected(context, url) as client:
            try:
                yield client
            except AtollClientError as exc:
                if exc.status == HTTPStatus.UNAUTHORIZED:
                    exc.message += "; where the server runs, --local needs no key"
                raise
        return
    from common.errors import AtollError, SettingsError
    from common.security.keys.local import open_local
    from common.settings import TelemetrySettings, get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(TelemetrySettings(level="WARNING"))
    try:
        with open_local(get_settings()) as keys:
            yield keys
            typer.echo(f"atoll: database {keys.where}", err=True)
    except SettingsError:
        raise
    except AtollError as exc:
        raise ended(exc.detail, FAILED) from None


def _show(context: typer.Context, told: dict[str, Any], as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(told)
        return
    shown = {name: value for name, value in told.items() if name not in ("id", "prefix")}
    for name in ("created_at", "expires_at", "last_used_at", "revoked_at"):
        if name in shown:
            shown[name] = _moment(shown[name])
    shown["scopes"] = ", ".join(told["scopes"]) or "none"
    shown["models"] = "all" if told["models"] is None else ", ".join(told["models"])
    print_table(["KEY", told.get("prefix") or told["id"]], [[name, value] for name, value in shown.items()])


def _ends(key: dict[str, Any]) -> str:
    """The day of a key's end, which may have been."""
    if key["revoked_at"]:
        return f"revoked {_moment(key['revoked_at'])[:10]}"
    day = _moment(key["expires_at"])[:10] or "never"
    return f"expired {day}" if key["state"] == "expired" else day


def _of_models(made: dict[str, Any]) -> str:
    return f" ({', '.join(made['models'])} only)" if made["models"] is not None else ""


def _end(given: str | None) -> "datetime | None":
    """A moment to come: how long from now, or a date or time (ISO 8601, without a zone this machine's)."""
    from datetime import UTC, datetime, timedelta

    if given is None or given == "never":
        return None
    amount, unit = given[:-1].strip(), given[-1:]
    try:
        if unit in _UNITS and amount.isascii() and amount.isdecimal():
            return datetime.now(UTC) + timedelta(**{_UNITS[unit]: int(amount)})
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{given!r} is no end; give {_FOR}", param_hint="--expires") from None


def _moment(told: Any) -> str:
    """A time as the server gave it, to the minute, in this machine's zone."""
    from datetime import datetime

    return f"{datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M}" if told else ""
