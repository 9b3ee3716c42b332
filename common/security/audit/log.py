"""Writing to the audit log.

The line goes to the log whatever happens, so that an action is never lost silently. The row goes into the
transaction of the action itself where it has one in the same database: then both are there or neither. An action
without one (a file on the share) is done first and its row written after it; a row that cannot be written then is told
by a second line, and counted, and does not undo the action.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from common.clock import id_time, new_id
from common.http.current import CURRENT_SCOPE
from common.security.audit.record import DONE, Record, make_record
from common.security.principal import Principal
from common.telemetry import metrics
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.database import Database

log = get_logger("atoll.audit")

_DATABASE: "ContextVar[Database | None]" = ContextVar("atoll_audit_database", default=None)


@contextlib.contextmanager
def recording(database: "Database") -> Iterator[None]:
    """Write rows to this database: for what happens outside a request, e.g. on the command line."""
    token = _DATABASE.set(database)
    try:
        yield
    finally:
        _DATABASE.reset(token)


def audit(
    action: str,
    *,
    by: Principal,
    target: str,
    outcome: str = DONE,
    connection: "Connection | None" = None,
    **details: Any,
) -> None:
    """Record what `by` did. Blocks for a database transaction unless `connection` is given; so not on the event loop.

    Parameters
    ----------
    action : thing and verb, e.g. `key.created`.
    target : what it was done to.
    outcome : `done`, `refused` or `failed`.
    connection : of the transaction in which the action is done. The row is part of it, and the line is written when it
        is committed; an exception of the database is the caller's, as for any other statement.
    details : more that a person will want to know; short values, no secrets.
    """
    scope = CURRENT_SCOPE.get()
    id_ = new_id()
    record = make_record(
        id_,
        # The same moment, so that a time splits the records as it splits their ids.
        id_time(id_),
        by,
        action,
        target,
        outcome,
        details,
        address=_address(scope),
        request_id=str((scope or {}).get("state", {}).get("request_id", "")),
    )
    if connection is not None:
        from sqlalchemy import event

        from common.security.audit.trail import insert

        insert(connection, record)
        # A transaction may be run again from its beginning; only the one that was committed is told.
        event.listen(connection, "commit", lambda _: _write_line(record), once=True)
        return
    _write_line(record)
    try:
        database = _database(scope)
        if database is not None:
            from common.security.audit.trail import Trail

            Trail(database).add(record)
    except Exception as exc:  # noqa: BLE001  # the action is done, or refused, whatever becomes of its row
        metrics.AUDIT_UNWRITTEN.inc()
        log.error(
            "audit row cannot be written", record=record.id, action=action, error=f"{type(exc).__name__}: {exc}"[:300]
        )


def _write_line(record: Record) -> None:
    log.info(
        record.action,
        record=record.id,
        by=record.actor_id or record.actor_kind,
        name=record.actor_name,
        address=record.address,
        target=record.target,
        outcome=record.outcome,
        details=dict(record.details),
    )


def _address(scope: Any) -> str:
    """Of the caller; behind trusted proxies the one that they tell."""
    if scope is None or "app" not in scope:
        return ""
    from common.security.limits.build import address_of
    from common.security.limits.client import UNKNOWN

    found = address_of(scope["app"].state.runtime.settings)(scope)
    return "" if found == UNKNOWN else found


def _database(scope: Any) -> "Database | None":
    found = _DATABASE.get()
    if found is not None or scope is None or "app" not in scope:
        return found
    return scope["app"].state.runtime.jobs.database  # type: ignore[no-any-return]  # state holds anything
