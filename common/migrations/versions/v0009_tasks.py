"""Tasks, their files and their idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_ID = sa.String(length=32)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(length=256), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("cluster", sa.String(length=255), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("program_sha256", sa.String(length=64), nullable=False),
        sa.Column("program_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retries_left", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("job_id", _ID),
        sa.Column("cluster_job_id", sa.String(length=256)),
        sa.Column("reason", sa.Text()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("signal", sa.Integer()),
        sa.Column("nodes", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("submitted_at", _TIME),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("cpu_time_s", sa.Float()),
        sa.Column("peak_memory_bytes", sa.BigInteger()),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("elements", sa.JSON(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("missing_since", _TIME),
        sa.Column("files", sa.String(length=16), nullable=False),
        sa.Column("run_id", sa.String(length=256)),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("earlier", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tasks_by_owner", "tasks", ["owner", "id"])
    op.create_index("tasks_by_owner_and_state", "tasks", ["owner", "state", "id"])
    op.create_index("tasks_by_cluster_and_state", "tasks", ["cluster", "state", "id"])
    op.create_index("tasks_by_state", "tasks", ["state", "id"])
    op.create_index("tasks_by_files", "tasks", ["files", "id"])
    op.create_index("tasks_by_finish", "tasks", ["finished_at"])
    op.create_index("tasks_by_cluster_job", "tasks", ["cluster", "cluster_job_id"])
    op.create_table(
        "task_files",
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "path"),
    )
    op.create_index("task_files_by_blob", "task_files", ["sha256"])
    op.create_table(
        "task_keys",
        sa.Column("owner", sa.String(length=256), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key"),
    )
    op.create_index("task_keys_by_age", "task_keys", ["created_at"])
