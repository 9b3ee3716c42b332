"""All SQL of tasks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from common.clock import Clock, first_id
from common.database import Database
from common.errors import Conflict, Invalid
from common.jobs.states import State
from common.jobs.tables import jobs
from common.registry.store import keep_blobs
from common.storage.blobs import BlobRef, Blobs
from common.submission.errors import NoTask
from common.submission.records import Brief, Mark, Task, TaskFilter, TaskPage
from common.submission.rows import as_columns, row_of, task_of
from common.submission.states import TaskState
from common.submission.tables import LIVE, files, keys, tasks

MAX_PAGE = 500
# How long an idempotency key names its task.
KEY_S = 24 * 3600.0
# How long a cluster is asked whether it knows a task after all that was given up.
_STILL_ASKED_S = 24 * 3600.0
_JUST_NOW_S = 180.0
_MOST_LOOKED_BACK = 500
_BATCH = 500

# Written once: to build a statement takes several times as long as to run it.
_FIND = sa.select(tasks).where(tasks.c.id == sa.bindparam("wanted"))
_FIND_LOCKED = _FIND.with_for_update()
_CHANGE = sa.update(tasks).where(tasks.c.id == sa.bindparam("of_task"), tasks.c.version == sa.bindparam("of_version"))
_ADD = sa.insert(tasks)
_ADD_FILE = sa.insert(files)
_JOB = sa.outerjoin(tasks, jobs, tasks.c.job_id == jobs.c.id)
_JOB_COLUMNS = (jobs.c.state.label("job_state"), jobs.c.error.label("job_error"))
_ANY = TaskFilter()
_EQUAL = ("cluster", "owner")


class BlobsGone(Conflict):
    """What a task is made of is not on the share any more."""


class KeyUsed(Exception):
    """Rolls a transaction back: the idempotency key names a task already."""

    def __init__(self, task: Task) -> None:
        self.task = task
        super().__init__(task.id)


@dataclass(frozen=True)
class Followed:
    """A task that is looked after, and how the kernel's job stands that works for it.

    Parameters
    ----------
    job_state : None where there is no such job (any more).
    """

    task: Task
    job_state: State | None
    job_error: str | None

    @property
    def has_job(self) -> bool:
        """Whether a job is under way, or waits."""
        return self.job_state is not None and not self.job_state.is_finished


class TaskStore:
    """Tasks in the database. Each method is one transaction, but for those that are given one.

    A change is written only where the task is still the `version` that was read (compare and set), so that two who
    decide at once do it once.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._clock = clock

    def add(self, connection: sa.Connection, task: Task, inputs: Mapping[str, BlobRef], blobs: Blobs) -> None:
        """Write a new task, within the transaction that accepts its first job.

        Raises
        ------
        BlobsGone
        """
        keep_blobs(connection)
        if blobs.missing({task.program, *inputs.values()}):
            raise BlobsGone("files of the task are not on the share any more; send them again")
        connection.execute(_ADD, row_of(task))
        named = {"program": task.program, **{f"inputs/{name}": ref for name, ref in inputs.items()}}
        rows = [
            {"task_id": task.id, "path": path, "sha256": ref.sha256, "size_bytes": ref.size_bytes}
            for path, ref in named.items()
        ]
        connection.execute(_ADD_FILE, rows)

    def claim_key(self, connection: sa.Connection, owner: str, key: str, task_id: str, body_hash: str) -> None:
        """Have the key name a new task from now on.

        Raises
        ------
        KeyUsed
            It names one already, for the same.
        Invalid
            It names one for something else.
        """
        if connection.dialect.name == "postgresql":
            # Two requests with one key at the same time: the second waits, then finds the first one's task.
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"task\n{owner}\n{key}", 0))
            connection.execute(sa.select(lock))
        mine = (keys.c.owner == owner) & (keys.c.key == key)
        row = connection.execute(sa.select(keys).where(mine)).first()
        now = self._clock.now()
        if row is not None and abs(now - row.created_at) < timedelta(seconds=KEY_S):
            earlier = self.find_in(connection, row.task_id)
            if earlier is not None and row.body_hash == body_hash:
                raise KeyUsed(earlier)
            if earlier is not None:
                message = "was used for another task in the last 24 hours; send the same one or choose another key"
                raise Invalid.field("Idempotency-Key", message, key, where="header")
        connection.execute(sa.delete(keys).where(mine))
        values = {"owner": owner, "key": key, "task_id": task_id, "body_hash": body_hash, "created_at": now}
        connection.execute(sa.insert(keys).values(**values))

    def get(self, task_id: str) -> Task:
        """The record. Raises `NoTask`."""
        found = self.database.read(lambda connection: self.find_in(connection, task_id))
        if found is None:
            raise NoTask(task_id)
        return found

    @staticmethod
    def find_in(connection: sa.Connection, task_id: str, *, lock: bool = False) -> Task | None:
        """A task; `lock` keeps others from changing it before the transaction ends."""
        row = connection.execute(_FIND_LOCKED if lock else _FIND, {"wanted": task_id}).first()
        return task_of(row) if row else None

    def list(self, wanted: TaskFilter = _ANY, cursor: str | None = None, limit: int = 50) -> TaskPage:
        """Tasks, newest first; `cursor` is that of the page before."""
        limit = max(1, min(limit, MAX_PAGE))
        query = _newest(wanted, cursor, limit + 1)
        found = [task_of(row) for row in self.database.read(lambda c: c.execute(query).all())]
        return TaskPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def marks(self, wanted: TaskFilter = _ANY, cursor: str | None = None, limit: int = 50) -> Sequence[Mark]:
        """Id, attempt and version of each task of that page, and where the next one begins: the same as long as
        nothing in the list has changed. A tenth of the work of `list`.
        """
        limit = max(1, min(limit, MAX_PAGE))
        query = _newest(wanted, cursor, limit + 1, tasks.c.id, tasks.c.attempt, tasks.c.version)
        found = [(row.id, row.attempt, row.version) for row in self.database.read(lambda c: c.execute(query).all())]
        return [*found[:limit], (found[limit - 1][0] if len(found) > limit else "", 0, 0)]

    def by_cluster_job(self, cluster: str, cluster_job_id: str) -> Task | None:
        """The newest task that a cluster knows by this id of its own."""
        mine = (tasks.c.cluster == cluster) & (tasks.c.cluster_job_id == cluster_job_id)
        query = sa.select(tasks).where(mine).order_by(tasks.c.id.desc()).limit(1)
        row = self.database.read(lambda c: c.execute(query).first())
        return task_of(row) if row else None

    def inputs(self, task_id: str) -> dict[str, BlobRef]:
        """What was sent along with a task, by name."""
        query = sa.select(files).where(files.c.task_id == task_id, files.c.path != "program")
        rows = self.database.read(lambda c: c.execute(query).all())
        return {row.path.removeprefix("inputs/"): BlobRef(row.sha256, row.size_bytes) for row in rows}

    def change(
        self,
        task: Task,
        *,
        durable: bool = True,
        also: Callable[[sa.Connection, Task], object] | None = None,
        **values: Any,
    ) -> Task | None:
        """Change a task as it was read, and do `also`; None if somebody else changed it since."""

        def work(connection: sa.Connection) -> Task | None:
            changed = self.change_in(connection, task, **values)
            if changed is not None and also is not None:
                also(connection, changed)
            return changed

        return self.database.write(work, durable=durable)

    def change_in(self, connection: sa.Connection, task: Task, **values: Any) -> Task | None:
        """As `change`, within a transaction."""
        values |= {"version": task.version + 1, "updated_at": self._clock.now()}
        mine = {"of_task": task.id, "of_version": task.version}
        if connection.execute(_CHANGE, mine | as_columns(values)).rowcount != 1:
            return None
        return replace(task, **values)

    def change_all(self, changes: Sequence[tuple[Task, Mapping[str, Any]]]) -> Sequence[Task | None]:
        """Change many in few transactions; None for those that somebody else changed since.

        What a cluster said is not forced to disk: it says so again.
        """
        made: Sequence[Task | None] = ()
        for start in range(0, len(changes), _BATCH):
            some = changes[start : start + _BATCH]

            def work(connection: sa.Connection, some: Any = some) -> Sequence[Task | None]:
                return [self.change_in(connection, task, **values) for task, values in some]

            made = [*made, *self.database.write(work, durable=False)]
        return made

    def live_clusters(self) -> Sequence[str]:
        """The clusters that have tasks to look after."""
        looked_back_at = sa.select(tasks.c.cluster).where(self._is_looked_back_at())
        query = sa.select(tasks.c.cluster).where(tasks.c.state.in_(LIVE)).union(looked_back_at)
        return sorted(self.database.read(lambda c: c.execute(query).scalars().all()))

    def followed(self, cluster: str) -> Sequence[Followed]:
        """The tasks of a cluster that have not finished, the oldest first."""
        return self._followed(tasks.c.cluster == cluster, tasks.c.state.in_(LIVE))

    def looked_back_at(self, cluster: str) -> Sequence[Task]:
        """Tasks that finished without the cluster's word: it may know them after all. And those that finished just
        now: their last figures may be told late, and something of theirs may have been submitted late.
        """
        query = sa.select(tasks).where(tasks.c.cluster == cluster, self._is_looked_back_at())
        query = query.order_by(tasks.c.finished_at.desc()).limit(_MOST_LOOKED_BACK)
        return [task_of(row) for row in self.database.read(lambda c: c.execute(query).all())]

    def _is_looked_back_at(self) -> sa.ColumnElement[bool]:
        now = self._clock.now()
        long_ago, just_now = now - timedelta(seconds=_STILL_ASKED_S), now - timedelta(seconds=_JUST_NOW_S)
        return sa.and_(tasks.c.finished_at > long_ago, sa.or_(_GIVEN_UP, tasks.c.finished_at > just_now))

    def uncollected(self, limit: int = 500) -> Sequence[Followed]:
        """Tasks whose files are to be brought back, while no job is under way that does so."""
        done = [state.value for state in State if state.is_finished]
        idle = sa.or_(tasks.c.job_id.is_(None), jobs.c.state.is_(None), jobs.c.state.in_(done))
        return self._followed(tasks.c.files == "collecting", idle, limit=limit)

    def briefs(self, task_ids: Iterable[str]) -> dict[str, Brief]:
        """What is to know of tasks that others wait for."""
        wanted = sorted(set(task_ids))
        columns = (tasks.c.id, tasks.c.state, tasks.c.cluster, tasks.c.cluster_job_id, tasks.c.retries_left)
        found: dict[str, Brief] = {}
        for start in range(0, len(wanted), _BATCH):
            some = sa.select(*columns).where(tasks.c.id.in_(wanted[start : start + _BATCH]))
            for row in self.database.read(partial(_all, query=some)):
                found[row.id] = Brief(row.id, TaskState(row.state), row.cluster, row.cluster_job_id, row.retries_left)
        return found

    def live_counts(self) -> dict[tuple[str, TaskState], int]:
        """How many tasks that have not finished each cluster has, by state."""
        chosen = sa.select(tasks.c.cluster, tasks.c.state, sa.func.count()).where(tasks.c.state.in_(LIVE))
        query = chosen.group_by(tasks.c.cluster, tasks.c.state)
        rows = self.database.read(lambda c: c.execute(query).all())
        return {(row[0], TaskState(row[1])): row[2] for row in rows}

    def old(self, before: datetime, limit: int = 200) -> Sequence[Task]:
        """Tasks that finished before a moment."""
        query = sa.select(tasks).where(tasks.c.finished_at < before).limit(limit)
        return [task_of(row) for row in self.database.read(lambda c: c.execute(query).all())]

    def remove(self, task_ids: Sequence[str]) -> None:
        """Forget tasks, and keys that count no more."""
        over = self._clock.now() - timedelta(seconds=KEY_S)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(files).where(files.c.task_id.in_(task_ids)))
            connection.execute(sa.delete(keys).where(keys.c.created_at < over))
            connection.execute(sa.delete(tasks).where(tasks.c.id.in_(task_ids)))

        self.database.write(work, repeatable=True)

    def _followed(self, *conditions: sa.ColumnElement[bool], limit: int | None = None) -> Sequence[Followed]:
        query = sa.select(tasks, *_JOB_COLUMNS).select_from(_JOB).where(*conditions).limit(limit)
        # Sorted here: SQLite would take the order of the ids for a reason to read all tasks in it.
        rows = sorted(self.database.read(lambda c: c.execute(query).all()), key=lambda row: str(row.id))
        return [Followed(task_of(row), State(row.job_state) if row.job_state else None, row.job_error) for row in rows]


# `lost`, or ended by Atoll itself while it was being handed over.
_GIVEN_UP = sa.or_(
    tasks.c.state == TaskState.LOST.value,
    sa.and_(tasks.c.state.in_([TaskState.FAILED.value, TaskState.CANCELLED.value]), tasks.c.cluster_job_id.is_(None)),
)


def _all(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return connection.execute(query).all()


def _newest(wanted: TaskFilter, cursor: str | None, limit: int, *columns: sa.Column[Any]) -> sa.Select[Any]:
    """The newest tasks that are wanted; all of them, or the columns named, `id` among them.

    Each state is asked for by itself, as with jobs: that is what indexes give.
    """
    conditions = [tasks.c[name] == value for name in _EQUAL if (value := getattr(wanted, name)) is not None]
    if cursor is not None:
        conditions.append(tasks.c.id < cursor)
    if wanted.created_after is not None:
        conditions.append(tasks.c.id >= first_id(wanted.created_after))
    if wanted.created_before is not None:
        conditions.append(tasks.c.id < first_id(wanted.created_before))
    query = sa.select(*(columns or [tasks])).where(*conditions).order_by(tasks.c.id.desc()).limit(limit)
    states = sorted(set(wanted.states))
    if len(states) < 2 or len(states) == len(TaskState):
        return query.where(tasks.c.state == states[0].value) if len(states) == 1 else query
    # SQLite takes no LIMIT within a UNION but in a subquery.
    parts = [sa.select(query.where(tasks.c.state == state.value).subquery()) for state in states]
    found = sa.union_all(*parts).subquery()
    return sa.select(found).order_by(found.c.id.desc()).limit(limit)
