"""Triggers that write down every change of a job's state: a witness that the kernel's own code cannot forget.

A row is written by the transaction that made the change, so what was rolled back leaves none.
"""

import contextlib
import threading
import time

import sqlalchemy as sa

from common.database import Database
from tests.campaign.checks import Change, Facts, Record, VersionRow

_LOOK_S = 0.2
_OVERLAP = 500

_SQLITE = (
    """CREATE TABLE campaign_audit
       (seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT, epoch INTEGER, old TEXT, new TEXT)""",
    """CREATE TRIGGER campaign_update AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
       INSERT INTO campaign_audit (job_id, epoch, old, new) VALUES (NEW.id, NEW.epoch, OLD.state, NEW.state); END""",
    """CREATE TRIGGER campaign_delete AFTER DELETE ON jobs BEGIN
       INSERT INTO campaign_audit (job_id, epoch, old, new) VALUES (OLD.id, OLD.epoch, OLD.state, 'deleted'); END""",
)
_POSTGRESQL = (
    "CREATE TABLE campaign_audit (seq BIGSERIAL PRIMARY KEY, job_id TEXT, epoch INTEGER, old TEXT, new TEXT)",
    """CREATE FUNCTION campaign_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF TG_OP = 'DELETE' THEN
         INSERT INTO campaign_audit (job_id, epoch, old, new) VALUES (OLD.id, OLD.epoch, OLD.state, 'deleted');
       ELSIF OLD.state <> NEW.state THEN
         INSERT INTO campaign_audit (job_id, epoch, old, new) VALUES (NEW.id, NEW.epoch, OLD.state, NEW.state);
       END IF;
       RETURN NULL; END $$""",
    """CREATE TRIGGER campaign_update AFTER UPDATE OR DELETE ON jobs
       FOR EACH ROW EXECUTE FUNCTION campaign_note()""",
)


def install(database: Database) -> None:
    """Add the triggers to a migrated database."""
    with database.transaction() as connection:
        for statement in _SQLITE if database.is_sqlite else _POSTGRESQL:
            connection.exec_driver_sql(statement)


class Watch:
    """Notes when changes of jobs are first seen, by the machine's monotonic clock, which no fault moves.

    Attributes
    ----------
    seen : moment and job of each change.
    """

    def __init__(self, database: Database) -> None:
        self.seen: list[tuple[float, str]] = []
        self._database = database
        self._known: set[int] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_again, name="audit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _look_again(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            # The database may be the fault of the moment.
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._look()

    def _look(self) -> None:
        # Numbers are given before the commit, so a lower one may show later.
        first = max(self._known, default=0) - _OVERLAP
        query = sa.text("SELECT seq, job_id FROM campaign_audit WHERE seq > :first")
        rows = self._database.read(lambda c: c.execute(query, {"first": first}).all())
        now_s = time.monotonic()
        for seq, job_id in rows:
            if seq not in self._known:
                self._known.add(seq)
                self.seen.append((now_s, job_id))


def unfinished(database: Database) -> dict[str, int]:
    """How many jobs are in each state that is no end."""
    query = sa.text(
        "SELECT state, count(*) FROM jobs WHERE state NOT IN ('succeeded','failed','cancelled','dead') GROUP BY state"
    )
    return {row[0]: row[1] for row in database.read(lambda c: c.execute(query).all())}


def facts(database: Database) -> Facts:
    """Everything that the database says, read at once."""

    def work(connection: sa.Connection) -> Facts:
        rows = connection.execute(sa.text("SELECT id, kind, state, error, attempts, headers FROM jobs")).all()
        helper = "atoll-helps"
        records = {
            row.id: Record(row.id, row.kind, row.state, row.error, row.attempts, helper in str(row.headers))
            for row in rows
        }
        audit = connection.execute(sa.text("SELECT job_id, epoch, old, new FROM campaign_audit ORDER BY seq")).all()
        versions = connection.execute(
            sa.text("SELECT number, job_id FROM registry_versions WHERE model='campaign' ORDER BY number")
        ).all()
        attempts = connection.execute(
            sa.text("SELECT job_id, epoch, outcome, error FROM job_attempts ORDER BY job_id, epoch")
        ).all()
        return Facts(
            records,
            [Change(*row) for row in audit],
            [VersionRow(*row) for row in versions],
            {(row.job_id, row.epoch): (row.outcome, row.error) for row in attempts},
        )

    return database.read(work)
