"""Removes what nobody needs: old versions, and the blobs that no version refers to.

A blob that is referred to is never removed. One that is found unreferenced is written down, and removed when it has
been for as long as the grace: a publisher has put it and not committed yet, or a process still opens the version that
was deleted. It is looked at again in the transaction that removes it, which no publisher's transaction overlaps
(`store.keep_blobs`); and a publisher's looks whether its blobs are still there. So whichever comes first, the other one
sees it, whatever the clocks say.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.clock import Clock, SystemClock
from common.database import Database
from common.registry import removal, store, tables
from common.settings import RegistrySettings
from common.storage.blobs import FOLDER, QUARANTINE, Blobs
from common.telemetry.logs import get_logger

log = get_logger("atoll.registry")

_QUARANTINE_S = 30 * 86400.0
_BATCH = 500


@dataclass(frozen=True)
class Collected:
    """What was removed, and what will be.

    Parameters
    ----------
    versions : removed because newer ones took their place.
    blobs, size_bytes : removed.
    waiting, waiting_bytes : unreferenced, but not for long enough.
    """

    versions: int = 0
    blobs: int = 0
    size_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0


class Garbage:
    """One a process; any number may collect at once.

    Parameters
    ----------
    busy_since : when the oldest training that runs began. It may have put blobs that its version will refer to, so
        none that was first seen unreferenced since then is removed; None where none runs.
    also_referred : columns, beside those of versions, that name blobs by their SHA-256.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        settings: RegistrySettings,
        *,
        clock: Clock | None = None,
        busy_since: Callable[[], datetime | None] = lambda: None,
        also_referred: Sequence[sa.Column[str]] = (),
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._settings = settings
        self._clock = clock or SystemClock()
        self._busy_since = busy_since
        self._referring = (tables.artefacts.c.sha256, *also_referred)
        self._thread: threading.Thread | None = None

    def begin(self) -> int:
        """Collect on a thread, since a large share takes minutes to list. A chore of the scheduler: 0, as it removed
        nothing yet.
        """
        if self._thread is None or not self._thread.is_alive():
            # A daemon: a share that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="registry-garbage", daemon=True)
            self._thread.start()
        return 0

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for what has begun, if something has."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def collect(self, grace: timedelta | None = None) -> Collected:
        """Remove versions that are too many, and blobs that were unreferenced for as long as the grace.

        Raises
        ------
        ShareDown
        """
        versions = self.prune()
        now = self._clock.now()
        since = self._note(now)
        until = now - (timedelta(hours=self._settings.grace_hours) if grace is None else grace)
        busy = self._busy_since()
        if busy is not None:
            until = min(until, busy - timedelta(microseconds=1))
        files = self._blobs.find()
        gone = [sha256 for sha256, at in since.items() if at <= until and self._remove(sha256, until)]
        waiting = [sha256 for sha256 in since if sha256 not in gone and sha256 in files]
        self._blobs.share.expire(QUARANTINE, _QUARANTINE_S)
        return Collected(
            versions=versions,
            blobs=len(gone),
            size_bytes=sum(files[sha256].size_bytes for sha256 in gone if sha256 in files),
            waiting=len(waiting),
            waiting_bytes=sum(files[sha256].size_bytes for sha256 in waiting),
        )

    def prune(self) -> int:
        """Remove the versions that the settings keep no longer. How many."""
        keep = self._settings.keep_versions
        if not keep:
            return 0
        before = self._clock.now() - timedelta(days=self._settings.keep_days)
        count = 0
        for entry in self._database.read(store.list_models):
            if entry.count > keep:
                gone = self._database.write(partial(removal.prune, model=entry.model, keep=keep, before=before))
                count += len(gone)
                if gone:
                    log.info("old versions removed", model=entry.model, numbers=gone)
        return count

    def _note(self, now: datetime) -> dict[str, datetime]:
        """Write down which blobs are unreferenced; since when each one is."""
        # First the share, then the database: what is put and published in between is referred to.
        there = self._blobs.find()

        def work(connection: sa.Connection) -> dict[str, datetime]:
            referred = {
                sha256
                for column in self._referring
                for sha256 in connection.execute(sa.select(column).distinct()).scalars()
            }
            alone = there.keys() - referred
            noted = {row.sha256: row.since for row in connection.execute(sa.select(tables.unreferenced))}
            over = sorted(noted.keys() - alone)
            for some in _batches(over):
                connection.execute(sa.delete(tables.unreferenced).where(tables.unreferenced.c.sha256.in_(some)))
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            new = sorted(alone - noted.keys())
            for some in _batches(new):
                rows = [{"sha256": sha256, "since": now} for sha256 in some]
                connection.execute(insert(tables.unreferenced).on_conflict_do_nothing(), rows)
            return {sha256: noted.get(sha256, now) for sha256 in alone}

        return self._database.write(work, repeatable=True)

    def _remove(self, sha256: str, until: datetime) -> bool:
        """Remove a blob, unless something refers to it by now. Whether it was removed."""
        row = tables.unreferenced.c.sha256 == sha256

        def work(connection: sa.Connection) -> bool:
            store.keep_blobs(connection, against=True)
            due = sa.select(sa.literal(1)).where(row, tables.unreferenced.c.since <= until)
            referred = sa.select(sa.or_(*(sa.exists().where(column == sha256) for column in self._referring)))
            if connection.execute(due).scalar() is None or connection.execute(referred).scalar():
                return False
            # Within the transaction, so that nobody publishes a version of it meanwhile. Were the transaction not
            # committed, there would be a row too many, which the next look removes.
            self._blobs.share.delete(f"{FOLDER}/{sha256[:2]}/{sha256}")
            connection.execute(sa.delete(tables.unreferenced).where(row))
            return True

        return self._database.write(work, repeatable=True)

    def _run(self) -> None:
        try:
            collected = self.collect()
        except Exception as exc:  # noqa: BLE001 - whatever share or database say, the next hour may do
            log.warning("nothing collected", error=f"{type(exc).__name__}: {exc}"[:300])
            return
        if collected.versions or collected.blobs:
            log.info("collected", versions=collected.versions, blobs=collected.blobs, size_bytes=collected.size_bytes)


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
