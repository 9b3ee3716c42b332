"""`atoll registry verify` and `gc`: work on the database and the share themselves, where the server runs."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.remote import FAILED, AsJson, print_json, print_table, prints_json
from common.cli.steps import steps, telling_errors

if TYPE_CHECKING:
    from common.registry.service import Registry
    from common.settings import Settings


def verify(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put files back of which this machine has a copy that is whole.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every version: its files against their SHA-256, what aliases point to, rows that belong to nothing.

    Asks no server: reads the database and the share that this machine's settings name (DATABASE_URL, FILE_SHARE,
    ATOLL_STATE). Servers may go on meanwhile. A file that is damaged is put aside, into quarantine/ of the share. Exit
    code 1 if something is wrong and was not repaired.

    \b
    Example:
      atoll registry verify
    """
    from common.registry.verify import verify as check

    with opened() as (registry, _), steps() as progress:
        report = check(registry.database, registry.blobs, repair=repair, progress=progress)
    if prints_json(context, as_json):
        print_json(asdict(report) | {"is_whole": report.is_whole})
    else:
        if report.findings:
            rows: list[list[object]] = [
                [found.target, found.kind + (" (repaired)" if found.is_repaired else ""), found.detail]
                for found in report.findings
            ]
            print_table(["WHAT", "IS", "DETAIL"], rows)
        typer.echo(
            f"{report.models} models, {report.versions} versions, {report.blobs} files, {report.size_bytes} bytes: "
            + ("all whole" if report.is_whole else "not whole")
            + (
                f"; {report.unreferenced} files that no version needs (atoll registry gc)"
                if report.unreferenced
                else ""
            )
        )
    if not report.is_whole:
        raise typer.Exit(FAILED)


def collect(
    context: typer.Context,
    grace_hours: Annotated[
        float | None,
        typer.Option(min=0, help="Hours that a file was seen to be needed by nobody [REGISTRY_GRACE_HOURS, 24]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove files that no version needs, and old versions (REGISTRY_KEEP_VERSIONS). A server does so every hour.

    Asks no server: works on the database and the share that this machine's settings name. What a version refers to is
    never removed. A file is first seen to be needed by nobody, and removed when it has been for the grace; with
    --grace-hours 0 at once, also what somebody is about to publish, who then has to send it again.

    \b
    Example:
      atoll registry gc
    """
    from common.jobs.training import oldest_training
    from common.registry.garbage import Garbage

    with opened() as (registry, settings):
        garbage = Garbage(
            registry.database,
            registry.blobs,
            settings.registry,
            busy_since=lambda: oldest_training(registry.database),
        )
        collected = garbage.collect(None if grace_hours is None else timedelta(hours=grace_hours))
    if prints_json(context, as_json):
        print_json(asdict(collected))
        return
    typer.echo(
        f"removed {collected.versions} versions and {collected.blobs} files ({collected.size_bytes} bytes); "
        f"{collected.waiting} files ({collected.waiting_bytes} bytes) that nobody needs go when their grace is over"
    )


@contextlib.contextmanager
def opened() -> "Iterator[tuple[Registry, Settings]]":
    """The registry that this machine's settings name; errors end the command with one sentence."""
    from common.cli.quiet import quiet
    from common.database import Database
    from common.registry.service import Registry
    from common.settings import get_settings
    from common.storage import Blobs, open_share
    from common.telemetry.logs import configure_logs

    settings = get_settings()
    configure_logs(quiet())
    with telling_errors():
        database = Database(settings.database_url)
        try:
            database.migrate()
            yield Registry(database, Blobs(open_share(settings.storage), settings.storage.cache_dir)), settings
        finally:
            database.close()
