"""`atoll jobs`: what is queued, what runs, what became of it."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import completing
from common.cli.groups import group
from common.cli.remote import (
    AsJson,
    Url,
    connected,
    end_unless_succeeded,
    is_watched,
    print_json,
    print_line,
    print_table,
    prints_json,
)

if TYPE_CHECKING:
    from datetime import datetime

    from common.client import Job

app = group("Look after queued work.")

_WHEN = "a date or time like 2026-01-31 or 2026-01-31T12:00:00Z, or how long ago, like 90s, 30m, 2h, 7d or 1w"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the job.", autocompletion=completing.jobs)]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has finished; 4 if it came to nothing.")]


@app.command("list")
def list_jobs(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help="Only those that are so, e.g. running; may be repeated.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="training, prediction or submission.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those of the model.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those that they asked for.")] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help=f"Created then or later: {_WHEN}.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Created before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="As many at most.")] = 50,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List jobs, newest first.

    \b
    Examples:
      atoll jobs list --state running --state queued
      atoll jobs list --model sample --since 2h --json | jq '.[].id'
    """
    with connected(context, url) as client:
        found = client.jobs(
            state=state,
            kind=kind,
            model=model,
            owner=owner,
            since=_when("--since", since),
            until=_when("--until", until),
            page_size=min(limit, 500),
        )
        jobs = list(islice(found, limit))
    if prints_json(context, as_json):
        print_json([job.data for job in jobs])
        return
    from common.client.progress import told

    headers = ["ID", "KIND", "MODEL", "STATE", "PROGRESS", "CREATED", "TOLD"]
    print_table(
        headers,
        [
            [job.id, job.kind, job.model, job.state, _percent(job), _moment(job.data["created"]), told(job)]
            for job in jobs
        ],
    )


@app.command()
def show(context: typer.Context, job_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """Show a job and its attempts.

    \b
    Example:
      atoll jobs show 1k0s4cvgx3rt9d2ykgfgjhqqchk
    """
    with connected(context, url) as client:
        job = client.job(job_id)
    _show(context, job, as_json)


@app.command()
def watch(context: typer.Context, job_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """Follow a job until it has finished. Ctrl-C ends the watching, not the job.

    \b
    Example:
      atoll jobs watch 1k0s4cvgx3rt9d2ykgfgjhqqchk
    """
    with connected(context, url) as client:
        job = client.job(job_id).wait(progress=is_watched())
    _show(context, job, as_json)
    end_unless_succeeded(job)


@app.command()
def logs(
    context: typer.Context,
    job_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has finished.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Print a job's log; as JSON, a line each.

    \b
    Example:
      atoll jobs logs -f 1k0s4cvgx3rt9d2ykgfgjhqqchk
    """
    from common.client.progress import plain

    is_json = prints_json(context, as_json)
    with connected(context, url) as client:
        for line in client.job(job_id).logs(follow=follow):
            if is_json:
                print_line(line)
            else:
                typer.echo(plain(f"{_moment(line['at'])} {line['level']:<7} {line['text']}"))


@app.command()
def trials(context: typer.Context, job_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """Show the trials of a training's search, the first one first.

    \b
    Example:
      atoll jobs trials 1k0s4cvgx3rt9d2ykgfgjhqqchk
    """
    with connected(context, url) as client:
        found = client.job(job_id).trials()
    if prints_json(context, as_json):
        print_json(found)
        return
    rows: list[list[object]] = [
        [
            trial["number"],
            trial["state"],
            None if trial["value"] is None else f"{trial['value']:.6g}",
            ", ".join(f"{name}={value}" for name, value in trial["params"].items()),
        ]
        for trial in found
    ]
    print_table(["TRIAL", "STATE", "VALUE", "PARAMETERS"], rows)


@app.command()
def cancel(context: typer.Context, job_id: Id, wait: Wait = False, as_json: AsJson = False, url: Url = None) -> None:
    """Cancel a job that waits or runs; with --wait until it has stopped.

    \b
    Example:
      atoll jobs cancel 1k0s4cvgx3rt9d2ykgfgjhqqchk --wait
    """
    with connected(context, url) as client:
        job = client.job(job_id).cancel()
        if wait:
            job.wait(progress=is_watched())
    _show_state(context, job, as_json)


@app.command()
def retry(context: typer.Context, job_id: Id, wait: Wait = False, as_json: AsJson = False, url: Url = None) -> None:
    """Run a failed or dead job again.

    \b
    Example:
      atoll jobs retry 1k0s4cvgx3rt9d2ykgfgjhqqchk --wait
    """
    with connected(context, url) as client:
        job = client.job(job_id).retry()
        if wait:
            job.wait(progress=is_watched())
    _show_state(context, job, as_json)
    end_unless_succeeded(job)


@app.command("callback-secret")
def callback_secret(
    new: Annotated[bool, typer.Option("--new", help="Make one to set, and change nothing.")] = False,
) -> None:
    """Print the secrets that sign callbacks, one a line. Run it where the server runs, with the server's settings.

    A receiver needs one to verify what it gets. To change it, set CALLBACK_SECRET to a new one and the old one, give
    receivers the new one, then drop the old one.

    \b
    Examples:
      atoll jobs callback-secret
      atoll jobs callback-secret --new
    """
    from common.http.signing import new_secret

    if new:
        typer.echo(new_secret())
        return
    from sqlalchemy.exc import SQLAlchemyError

    from common.clock import SystemClock
    from common.database import Database
    from common.errors import SettingsError
    from common.jobs.callbacks.sender import Callbacks
    from common.settings import get_settings

    settings = get_settings()
    database = Database.build(settings)
    try:
        database.migrate()
        for secret in Callbacks(database, SystemClock(), settings.callbacks).secrets():
            typer.echo(secret)
    except SQLAlchemyError as exc:
        raise SettingsError(f"the database cannot be used: {type(exc).__name__}; see DATABASE_URL") from None
    finally:
        database.close()


def _show_state(context: typer.Context, job: "Job", as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(job.data)
    else:
        typer.echo(f"{job.id}  {job.state}")


def _show(context: typer.Context, job: "Job", as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(job.data)
        return
    data = job.data
    facts: dict[str, object] = {
        "kind": job.kind,
        "model": job.model,
        "state": job.state,
        "progress": _percent(job),
        "message": job.message,
        "error": job.error,
        **job.metrics,
        "request": data["path"],
        **{name: _moment(data[name]) for name in ("created", "started", "finished")},
        **_callback(data.get("callback")),
    }
    print_table(["ID", job.id], [[name, value] for name, value in facts.items()])
    if data["attempts"]:
        typer.echo()
        print_table(
            ["ATTEMPT", "WORKER", "STARTED", "ENDED", "OUTCOME", "ERROR"],
            [
                [
                    run["epoch"],
                    run["worker"],
                    _moment(run["started"]),
                    _moment(run["ended"]),
                    run["outcome"],
                    run["error"],
                ]
                for run in data["attempts"]
            ],
        )


def _when(option: str, given: str | None) -> "datetime | None":
    """A moment: a date or time (ISO 8601, without a zone this machine's), or how long ago."""
    from datetime import UTC, datetime, timedelta

    if given is None:
        return None
    text = given.strip().removesuffix(" ago")
    amount, unit = text[:-1].strip(), text[-1:]
    try:
        if unit in _UNITS and amount.isascii() and amount.isdecimal():
            return datetime.now(UTC) - timedelta(**{_UNITS[unit]: int(amount)})
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{given!r} is no moment; give {_WHEN}", param_hint=option) from None


def _callback(told: Any) -> dict[str, object]:
    """How far the caller has been told of the job's end; nothing where nobody asked."""
    if not told:
        return {}
    why = f" ({told['last_error']}; {told['attempts']} tries)" if told["last_error"] else ""
    return {"callback": f"{told['state']}{why} {told['url']}"}


def _percent(job: "Job") -> str:
    return "" if job.progress is None else f"{job.progress:.0%}"


def _moment(told: Any) -> str:
    """A time as the server gave it, to the second, in this machine's zone."""
    from datetime import datetime

    return datetime.fromisoformat(told).astimezone().isoformat(" ", "seconds")[:19] if told else ""
