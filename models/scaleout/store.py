"""Runs in the SQL store. Functions block; each change is one transaction that holds the run's lock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.clock import Clock, SystemClock
from common.database import Database
from common.errors import NotFound
from models.scaleout import tables
from models.scaleout.merge import merge_application, merge_job
from models.scaleout.records import Application
from models.scaleout.rows import Told, application_of, told_of

MAX_HISTORY = 200
_IN_ONE_STATEMENT = 500
_ID_CHARS = 128
# Of a plan, what is kept of it for good.
_DECIDED = ("scale_out", "probability", "why", "model")


@dataclass(frozen=True)
class Brief:
    """A run in a list.

    Parameters
    ----------
    told : what is known of it, without its jobs.
    jobs : how many of its jobs are known.
    """

    execution_id: str
    told: Mapping[str, Any]
    jobs: int
    created_at: datetime
    changed_at: datetime


class RunStore:
    """The plugin's tables, made at first use."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        database.ensure(tables.metadata)

    def update(self, execution_id: str, told: Mapping[str, Any], jobs: Iterable[Told] = ()) -> Told:
        """Merge what was told of a run, and of some of its jobs, into what is known; a run not known yet is made.
        What is known then, without its jobs.

        Parameters
        ----------
        told, jobs : as `rows` has them.
        """
        of_jobs = {int(job["job_id"]): job for job in jobs}
        now = self._clock.now()

        def work(connection: sa.Connection) -> Told:
            known = self._lock(connection, execution_id, now)
            merged = {**merge_application(known, told), "execution_id": execution_id}
            if merged != known:
                values = {"told": merged, "changed_at": now, **_columns(merged)}
                connection.execute(
                    sa.update(tables.applications)
                    .where(tables.applications.c.execution_id == execution_id)
                    .values(values)
                )
            before = _jobs_of(connection, [execution_id], of_jobs)[execution_id]
            for job_id, job in sorted(of_jobs.items()):
                self._put_job(connection, execution_id, before.get(job_id), {**job, "job_id": job_id}, now)
            return merged

        # Merging the same again changes nothing.
        return self._database.write(work, repeatable=True)

    def add(self, application: Application) -> None:
        """Merge a whole run, as an import brings it."""
        told, jobs = told_of(application)
        self.update(application.execution_id, told, jobs)

    def find(self, execution_id: str) -> Application | None:
        """The run with its jobs."""
        return next(iter(self.load([execution_id])), None)

    def get(self, execution_id: str) -> Application:
        """
        Raises
        ------
        NotFound
        """
        found = self.find(execution_id)
        if found is None:
            raise NotFound(f"no run {execution_id[:80]!r} is known; GET /scaleout/applications lists those that are")
        return found

    def page(
        self,
        *,
        algorithm: str | None = None,
        limit: int = 50,
        before: str | None = None,
        open_since: datetime | None = None,
    ) -> list[Brief]:
        """Runs, the newest first.

        Parameters
        ----------
        before : the id of the last run of the page before.
        open_since : only runs of whose end nothing was told, and of which something was told since.
        """
        table = tables.applications
        counted = sa.select(sa.func.count()).where(tables.jobs.c.execution_id == table.c.execution_id)
        chosen = sa.select(table, counted.scalar_subquery().label("jobs"))
        if open_since is not None:
            chosen = chosen.where(table.c.changed_at >= open_since, table.c.told["end_s"].as_float().is_(None))
        if algorithm is not None:
            chosen = chosen.where(table.c.algorithm == algorithm)
        if before is not None:
            last = sa.select(table.c.created_at, table.c.execution_id).where(table.c.execution_id == before)
            chosen = chosen.where(sa.tuple_(table.c.created_at, table.c.execution_id) < last.scalar_subquery())
        order = (table.c.created_at.desc(), table.c.execution_id.desc())
        rows = self._database.read(lambda connection: connection.execute(chosen.order_by(*order).limit(limit)).all())
        return [Brief(row.execution_id, row.told, row.jobs, row.created_at, row.changed_at) for row in rows]

    def changed_at(self, execution_id: str) -> datetime | None:
        """When something of the run was told last."""
        chosen = sa.select(tables.applications.c.changed_at)
        chosen = chosen.where(tables.applications.c.execution_id == execution_id)
        found: datetime | None = self._database.read(lambda connection: connection.execute(chosen).scalar())
        return found

    def told(self, *, algorithm: str | None = None, limit: int) -> Sequence[Told]:
        """What is known of runs, without their jobs, the newest first."""
        table = tables.applications
        chosen = sa.select(table.c.told).order_by(table.c.created_at.desc(), table.c.execution_id.desc()).limit(limit)
        if algorithm is not None:
            chosen = chosen.where(table.c.algorithm == algorithm)
        return self._database.read(lambda connection: connection.execute(chosen).scalars().all())

    def history(
        self, *, system: str = "", algorithm: str = "", signature: str = "", limit: int = MAX_HISTORY
    ) -> list[Application]:
        """Runs of the algorithm, or with the signature, the oldest first; of many the newest `limit`."""
        found = self.versions(system=system, algorithm=algorithm, signature=signature, limit=limit)
        return self.load([execution_id for execution_id, _ in found])

    def versions(
        self, *, system: str = "", algorithm: str = "", signature: str = "", limit: int = MAX_HISTORY
    ) -> list[tuple[str, datetime]]:
        """The runs of `history`, and when each was changed last."""
        table = tables.applications
        wanted: list[sa.ColumnElement[bool]] = []
        if algorithm:
            wanted.append((table.c.algorithm == algorithm) & (table.c.system == system if system else sa.true()))
        if signature:
            wanted.append(table.c.signature == signature)
        newest = (table.c.created_at.desc(), table.c.execution_id.desc())
        columns = (table.c.execution_id, table.c.changed_at, table.c.created_at)

        def work(connection: sa.Connection) -> dict[str, Any]:
            # One after the other: each reads the end of an index, where both at once would have all runs sorted.
            return {
                row.execution_id: row
                for condition in wanted
                for row in connection.execute(sa.select(*columns).where(condition).order_by(*newest).limit(limit))
            }

        rows = self._database.read(work).values() if wanted else ()
        ordered = sorted(rows, key=lambda row: (row.created_at, row.execution_id))
        return [(row.execution_id, row.changed_at) for row in ordered[-limit:]]

    def newest(self, limit: int) -> list[tuple[str, datetime]]:
        """Runs of all algorithms, the newest first, and when each was changed last."""
        table = tables.applications
        chosen = sa.select(table.c.execution_id, table.c.changed_at)
        chosen = chosen.order_by(table.c.created_at.desc(), table.c.execution_id.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(chosen).all())
        return [(row.execution_id, row.changed_at) for row in rows]

    def load(self, execution_ids: Sequence[str]) -> list[Application]:
        """Runs with their jobs, in this order; those that are gone are left out."""
        table = tables.applications

        def work(connection: sa.Connection) -> list[Application]:
            told: dict[str, Told] = {}
            for part in _parts(execution_ids):
                chosen = sa.select(table.c.execution_id, table.c.told).where(table.c.execution_id.in_(part))
                told |= {row.execution_id: row.told for row in connection.execute(chosen)}
            jobs = _jobs_of(connection, list(told))
            return [application_of(told[one], jobs[one].values()) for one in execution_ids if one in told]

        return self._database.read(work)

    def algorithms(self) -> Sequence[str]:
        """Of which there are runs, by name."""
        column = tables.applications.c.algorithm
        chosen = sa.select(column).where(column != "").distinct().order_by(column)
        return self._database.read(lambda connection: connection.execute(chosen).scalars().all())

    def delete(self, execution_id: str) -> None:
        """
        Raises
        ------
        NotFound
        """

        def work(connection: sa.Connection) -> int:
            for table in (tables.jobs, tables.decisions):
                connection.execute(sa.delete(table).where(table.c.execution_id == execution_id))
            gone = sa.delete(tables.applications).where(tables.applications.c.execution_id == execution_id)
            return connection.execute(gone).rowcount

        if not self._database.write(work):
            raise NotFound(f"no run {execution_id[:80]!r} is known")

    def plan(self, execution_id: str) -> Mapping[str, Any] | None:
        """The last plan that was kept."""
        chosen = sa.select(tables.applications.c.plan).where(tables.applications.c.execution_id == execution_id)
        found: Mapping[str, Any] | None = self._database.read(lambda connection: connection.execute(chosen).scalar())
        return found

    def keep_plan(self, execution_id: str, plan: Mapping[str, Any]) -> None:
        """As the last one, and as what was decided after its job (`after_job`; -1 before the first has ended)."""
        change = sa.update(tables.applications).where(tables.applications.c.execution_id == execution_id)
        row = {
            "execution_id": execution_id,
            "after_job": int(plan.get("after_job", -1)),
            "plan": {name: plan.get(name) for name in _DECIDED},
            "decided_at": self._clock.now(),
        }
        made = _insert(self._database)(tables.decisions).values(row)
        again = {name: row[name] for name in ("plan", "decided_at")}
        made = made.on_conflict_do_update(index_elements=["execution_id", "after_job"], set_=again)

        def work(connection: sa.Connection) -> None:
            if connection.execute(change.values(plan=dict(plan))).rowcount:
                connection.execute(made)

        self._database.write(work, durable=False)

    def decisions(self, execution_id: str) -> list[Mapping[str, Any]]:
        """All plans that were kept, as JSON, with `after_job` and `decided_at`; the oldest first."""
        table = tables.decisions
        chosen = sa.select(table).where(table.c.execution_id == execution_id).order_by(table.c.after_job)
        rows = self._database.read(lambda connection: connection.execute(chosen).all())
        return [{**row.plan, "after_job": row.after_job, "decided_at": row.decided_at} for row in rows]

    def ask_preload(self, name: str) -> int:
        """Have every process load a model; the generation that was asked for."""
        now = self._clock.now()

        def work(connection: sa.Connection) -> int:
            row = {"name": name, "generation": 1, "asked_at": now}
            made = _insert(self._database)(tables.preloads).values(row)
            more = {"generation": tables.preloads.c.generation + 1, "asked_at": now}
            connection.execute(made.on_conflict_do_update(index_elements=["name"], set_=more))
            chosen = sa.select(tables.preloads.c.generation).where(tables.preloads.c.name == name)
            return int(connection.execute(chosen).scalar_one())

        return self._database.write(work)

    def preloads(self) -> Mapping[str, int]:
        """The generation of each model that was asked for."""
        chosen = sa.select(tables.preloads.c.name, tables.preloads.c.generation)
        rows = self._database.read(lambda connection: connection.execute(chosen).all())
        return {row.name: row.generation for row in rows}

    def _lock(self, connection: sa.Connection, execution_id: str, now: datetime) -> Told:
        """What is known of the run, which nobody else changes until the transaction ends."""
        row = {"execution_id": execution_id, "told": {}, "created_at": now, "changed_at": now, **_columns({})}
        connection.execute(_insert(self._database)(tables.applications).values(row).on_conflict_do_nothing())
        chosen = sa.select(tables.applications.c.told).where(tables.applications.c.execution_id == execution_id)
        return dict(connection.execute(chosen.with_for_update()).scalar_one())

    @staticmethod
    def _put_job(connection: sa.Connection, execution_id: str, known: Told | None, told: Told, now: datetime) -> None:
        merged = merge_job(known or {}, told)
        if known is None:
            row = {"execution_id": execution_id, "job_id": told["job_id"], "told": merged, "changed_at": now}
            connection.execute(sa.insert(tables.jobs).values(row))
        elif merged != known:
            mine = (tables.jobs.c.execution_id == execution_id) & (tables.jobs.c.job_id == told["job_id"])
            connection.execute(sa.update(tables.jobs).where(mine).values(told=merged, changed_at=now))
        else:
            return
        # What was learned of the run is as old as its jobs.
        mine = tables.applications.c.execution_id == execution_id
        connection.execute(sa.update(tables.applications).where(mine).values(changed_at=now))


def _insert(database: Database) -> Any:
    return sqlite.insert if database.is_sqlite else postgresql.insert


def _columns(told: Mapping[str, Any]) -> dict[str, str]:
    context = told.get("context") or {}
    found = {"system": context.get("system"), "algorithm": context.get("algorithm"), "signature": told.get("signature")}
    return {name: str(value or "")[:_ID_CHARS] for name, value in found.items()}


def _jobs_of(
    connection: sa.Connection, execution_ids: Sequence[str], only: Iterable[int] | None = None
) -> dict[str, dict[int, Told]]:
    """The jobs of runs, by run and id."""
    found: dict[str, dict[int, Told]] = {execution_id: {} for execution_id in execution_ids}
    for part in _parts(execution_ids):
        chosen = sa.select(tables.jobs).where(tables.jobs.c.execution_id.in_(part))
        if only is not None:
            chosen = chosen.where(tables.jobs.c.job_id.in_(list(only)))
        for row in connection.execute(chosen):
            found[row.execution_id][row.job_id] = row.told
    return found


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[first : first + _IN_ONE_STATEMENT] for first in range(0, len(ids), _IN_ONE_STATEMENT))
