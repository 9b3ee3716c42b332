"""Kills a process right before or right after one of its commits, when the campaign has asked for it.

The campaign asks by a file, named by the moment; the first process that reaches the moment takes the file away and
ends itself by SIGKILL. Installed by the campaign's plugin, in every process that imports it.
"""

import os
import re
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

FOLDER = "CAMPAIGN_ARMS"
# Anywhere in a statement: one may write several tables.
_CHANGE = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")
_written = threading.local()

# What a moment is called here, and the statement that tells it.
MOMENTS = {
    "accept": "INSERT INTO jobs",
    "enqueue": "INSERT INTO queue_messages",
    "receive": "UPDATE queue_messages",
    "begin": "INSERT INTO job_attempts",
    "checkpoint": "INSERT INTO job_payloads",
    "publish": "INSERT INTO registry_versions",
    "end": "UPDATE job_attempts",
    "forget": "DELETE FROM queue_messages",
}


def arm(folder: Path, moment: str, when: str) -> Path:
    """Ask for a kill; `when` is `before` or `after`. The file is gone once a process has taken it."""
    file = folder / f"{when} {MOMENTS[moment]}"
    file.touch()
    return file


def install() -> None:
    """Watch all commits of this process, if the environment names the folder."""
    given = os.environ.get(FOLDER)
    if given is None:
        return
    import sqlalchemy as sa
    from sqlalchemy.engine.default import DefaultDialect

    folder = Path(given)
    sa.event.listen(sa.Engine, "before_cursor_execute", partial(_note, folder))
    committing: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

    def commit(self: DefaultDialect, connection: Any) -> None:
        changes = _taken()
        _perhaps(folder, "before", changes)
        committing(self, connection)
        _perhaps(folder, "after", changes)

    DefaultDialect.do_commit = commit  # type: ignore[method-assign]


def _note(folder: Path, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    found = {f"{verb} {table}" for verb, table in _CHANGE.findall(statement)}
    if connection.get_execution_options().get("single"):
        # A statement that is its own commit.
        _perhaps(folder, "before", found)
    _changes().update(found)


def _changes() -> set[str]:
    if not hasattr(_written, "changes"):
        _written.changes = set()
    changes: set[str] = _written.changes
    return changes


def _taken() -> set[str]:
    taken = _changes()
    _written.changes = set()
    return taken


def _perhaps(folder: Path, when: str, changes: set[str]) -> None:
    for change in changes:
        file = folder / f"{when} {change}"
        if not file.exists():
            continue
        try:
            # One process only, and the campaign learns which.
            file.rename(folder / f"{os.getpid()} {file.name}")
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
