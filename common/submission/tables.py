"""The tables of tasks. `common/migrations/versions` makes them; a test compares the two."""

import sqlalchemy as sa

from common.database import UtcTime
from common.submission.states import FINISHED, TaskState

metadata = sa.MetaData()

_ID = sa.String(32)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("owner", sa.String(256), nullable=False),
    # What its owner may do, as the kernel keeps it with jobs.
    sa.Column("marks", sa.JSON, nullable=False),
    sa.Column("cluster", sa.String(255), nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("program_sha256", sa.String(64), nullable=False),
    sa.Column("program_bytes", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("retries_left", sa.Integer, nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    # The kernel's job that hands this attempt to the cluster.
    sa.Column("job_id", _ID),
    sa.Column("cluster_job_id", sa.String(256)),
    sa.Column("reason", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("signal", sa.Integer),
    sa.Column("nodes", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("submitted_at", UtcTime),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("cpu_time_s", sa.Float),
    sa.Column("peak_memory_bytes", sa.BigInteger),
    sa.Column("restarts", sa.Integer, nullable=False),
    sa.Column("elements", sa.JSON, nullable=False),
    sa.Column("cancel_asked", sa.Boolean, nullable=False),
    # It waits for tasks that its cluster cannot wait for by itself.
    sa.Column("held", sa.Boolean, nullable=False),
    # Since when its cluster does not know it, though it should.
    sa.Column("missing_since", UtcTime),
    sa.Column("files", sa.String(16), nullable=False),
    sa.Column("run_id", sa.String(256)),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("earlier", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    # Ids sort by time, so each of these gives a page of the newest at once.
    sa.Index("tasks_by_owner", "owner", "id"),
    sa.Index("tasks_by_owner_and_state", "owner", "state", "id"),
    # The live ones of a cluster: few, however many have finished.
    sa.Index("tasks_by_cluster_and_state", "cluster", "state", "id"),
    sa.Index("tasks_by_state", "state", "id"),
    # Those whose files are still to be brought back.
    sa.Index("tasks_by_files", "files", "id"),
    sa.Index("tasks_by_finish", "finished_at"),
    # What a cluster's own id belongs to, as old clients ask.
    sa.Index("tasks_by_cluster_job", "cluster", "cluster_job_id"),
)

# The blobs of a task: its program and what was sent along. No blob that is named here is garbage.
files = sa.Table(
    "task_files",
    metadata,
    sa.Column("task_id", _ID, primary_key=True),
    # `program`, or `inputs/…`.
    sa.Column("path", sa.String(1024), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Index("task_files_by_blob", "sha256"),
)

# The same key and the same task within a day are the same task.
keys = sa.Table(
    "task_keys",
    metadata,
    sa.Column("owner", sa.String(256), primary_key=True),
    sa.Column("key", sa.String(256), primary_key=True),
    sa.Column("task_id", _ID, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("task_keys_by_age", "created_at"),
)

ANY = sa.select(sa.exists().where(tasks.c.id.is_not(None)))
LIVE = sorted(state.value for state in TaskState if state not in FINISHED)
# Whether anything has to be looked after: asked every few seconds by processes that may never see a task.
ANY_LIVE = sa.select(
    sa.or_(
        sa.exists().where(tasks.c.state.in_([*LIVE, TaskState.LOST.value])),
        sa.exists().where(tasks.c.files == "collecting"),
        # What finished a moment ago is looked at once more.
        sa.exists().where(tasks.c.finished_at > sa.bindparam("since")),
    )
)
