"""Whether database, queues, Redis and share answer, each within a time-out; nothing is made or changed there."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from common.doctor.finding import Finding
from common.settings import Settings

# Only to say why there was no answer.
_CONNECT_S = 2.0

Address = tuple[str, int]


class TooSlow(Exception):
    """No answer within the time."""


def within(timeout_s: float, work: Callable[[], str]) -> str:
    """`work()`, on a daemon thread, which nobody waits for once the time is up: a library may wait for minutes."""
    outcome: list[str | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as exc:  # noqa: BLE001 - it is told to the person who asked
            outcome.append(exc)

    thread = threading.Thread(target=run, name="doctor", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise TooSlow(f"no answer within {timeout_s:g} s")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def check_database(settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """The database and the state of its schema."""
    url = settings.database_url
    if url.startswith("sqlite"):
        file = Path(url.partition("///")[2])
        if not file.exists():
            yield _writable("database", file.parent, f"SQLite: {file} is made by the first start")
            return
    why = "without the database no job is accepted and no key is known"
    yield _tried("database", timeout_s, lambda: _ask_database(settings), why, "DATABASE_URL, the server, its firewall")


def check_own_disk(settings: Settings) -> Iterator[Finding]:
    """What lies on the disk of an instance where it should be shared by all."""
    if not settings.has_database_server:
        yield Finding(
            "database",
            "warning",
            "SQLite, where there may be several instances",
            "none sees the jobs, keys and versions of another, and they go with its disk",
            "set DATABASE_URL to a PostgreSQL database",
        )
    if settings.storage.share_url is None and settings.storage.file_share is None:
        yield Finding(
            "share",
            "warning",
            "the share is a folder of the state, where there may be several instances",
            "none sees the artefacts and data sets of another, and they go with its disk",
            "set FILE_SHARE to a file share, or to the folder where one is mounted",
        )


def check_queues(settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """The queues that this process would read."""
    if not settings.jobs.has_storage_account:
        level_up = settings.security.functions_runtime is not None and "queues" in settings.roles
        if level_up:
            yield Finding(
                "storage",
                "error",
                "AzureWebJobsStorage is not set",
                "the Functions host has no queues to trigger from: jobs would wait for ever",
                "set AzureWebJobsStorage, or AzureWebJobsStorage__queueServiceUri and an identity",
            )
            return
        yield Finding("storage", "ok", "queues are tables of the database (AzureWebJobsStorage is not set)")
        return
    why = "jobs are recorded, but not run before the queues answer"
    if settings.jobs.storage is not None:
        todo = "AzureWebJobsStorage, the account's firewall; the emulator Azurite has to be started"
    else:
        todo = "AzureWebJobsStorage__queueServiceUri, the identity and its role Storage Queue Data Contributor"
    yield _tried("storage", timeout_s, lambda: _ask_queues(settings), why, todo, lambda: _queues_address(settings))


def check_redis(settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """Redis, where one is configured."""
    url = settings.redis.url
    if url is None:
        yield Finding("redis", "ok", "no Redis: each process keeps its own cache and counts (REDIS_URL is not set)")
        return

    def ask() -> str:
        from redis import Redis

        with Redis.from_url(
            url.get_secret_value(), socket_connect_timeout=timeout_s, socket_timeout=timeout_s
        ) as client:
            started = time.monotonic()
            client.ping()
            took_ms = 1000 * (time.monotonic() - started)
            return f"Redis {client.info('server')['redis_version']} answers in {took_ms:.1f} ms"

    # Requests go on without it.
    why = "answers are kept, and callers counted, by each process alone; requests are answered"
    todo = "REDIS_URL (rediss:// for TLS, port 6380 or 10000 on Azure), the password, the firewall"
    found = _tried("redis", timeout_s, ask, why, todo)
    yield found if found.level == "ok" else replace(found, level="warning")


def check_share(settings: Settings, timeout_s: float) -> Iterator[Finding]:
    """The file share."""
    storage = settings.storage
    if storage.share_url is None:
        yield _writable("share", storage.share_dir, f"the share is the folder {storage.share_dir}")
        return

    def ask() -> str:
        from common.storage import open_share

        share = open_share(storage)
        share.stat("datasets/atoll-doctor")
        return f"the share {share.label} answers"

    why = "no data set, artefact or result of a task can be read or written"
    todo = "FILE_SHARE, FILE_SHARE_CREDENTIAL or the role of the identity, the account's firewall"
    url = storage.share_url
    yield _tried("share", timeout_s, ask, why, todo, lambda: _address(url))


def _ask_database(settings: Settings) -> str:
    from common.database import Database
    from common.errors import WrongSchema
    from common.migrations import find, head

    database = Database(settings.database_url, pool_size=1)
    try:
        with database.reading() as connection:
            kind = connection.dialect.name
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
            found = find(connection)
    finally:
        database.close()
    standing = found.standing(head())
    if standing in ("too new", "foreign"):
        raise WrongSchema(found.refusal(head()))
    schema = {
        "empty": "empty: the first start makes its tables",
        "older": f"schema {found.revision}; the next start brings it to {head()}",
        "current": "schema is current",
        "newer": f"schema {found.revision} is of a later release, which says that this one ({head()}) may use it",
    }
    return f"{kind} {version} answers; {schema[standing]}"


def _ask_queues(settings: Settings) -> str:
    from common.clock import SystemClock
    from common.database import Database
    from common.jobs.queues.names import queue_names
    from common.jobs.system import build_queue

    database = Database(settings.database_url)
    queue = build_queue(settings, database, SystemClock())
    try:
        depths = {name: queue.depth(name).length for name in queue_names(settings)}
    finally:
        queue.close()
        database.close()
    return "the storage account answers; messages: " + ", ".join(f"{name} {depth}" for name, depth in depths.items())


def _queues_address(settings: Settings) -> Address | None:
    from azure.storage.queue import QueueServiceClient

    jobs = settings.jobs
    if jobs.storage is None:
        return _address(jobs.storage_queue_uri or "")
    return _address(QueueServiceClient.from_connection_string(jobs.storage.get_secret_value()).url)


def _address(url: str) -> Address | None:
    """Host and port of an address on the web; None for any other."""
    ports = {"http": 80, "https": 443}
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme not in ports:
        return None
    return parts.hostname, parts.port or ports[parts.scheme]


def why_silent(address: Address | None) -> str:
    """Why nothing answers there, as far as an attempt to connect tells; empty where it tells nothing."""
    if address is None:
        return ""
    try:
        socket.create_connection(address, timeout=_CONNECT_S).close()
    except OSError as exc:
        return f": {address[0]}:{address[1]}: {exc.strerror or exc}"
    return f": {address[0]}:{address[1]} takes connections, but does not answer or asks for another identity"


def _tried(
    check: str,
    timeout_s: float,
    ask: Callable[[], str],
    why: str,
    todo: str,
    address: Callable[[], Address | None] = lambda: None,
) -> Finding:
    """`ask()`, or what went wrong. `address` is where somebody should answer; libraries try for long to reach it."""
    from common.errors import AtollError, WrongSchema
    from common.telemetry.masking import mask

    try:
        return Finding(check, "ok", within(timeout_s, ask))
    except WrongSchema as exc:
        return Finding(check, "error", exc.detail, "this release could not use it", "see docs/operations.md, Upgrades")
    except TooSlow as exc:
        return Finding(check, "error", f"{exc}{why_silent(address())}", why, f"check {todo}")
    except Exception as exc:  # noqa: BLE001 - whatever went wrong is what was asked for
        # What the driver said, without what SQLAlchemy adds to it.
        told = getattr(exc, "orig", None) or exc
        said = told.detail if isinstance(told, AtollError) else f"{type(told).__name__}: {told}"
        return Finding(check, "error", mask(said).strip().splitlines()[0][:300], why, f"check {todo}")


def _writable(check: str, folder: Path, told: str) -> Finding:
    """Whether a folder, or the nearest one above that exists, can be written to."""
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding(check, "ok", told)
    why = "state, data sets and artefacts could not be written"
    return Finding(check, "error", f"{there} cannot be written to", why, "mount it writable, or set ATOLL_STATE")
