"""The kernel's tables. `common/migrations/versions` makes them; a test compares the two."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

_ID = sa.String(32)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("owner", sa.String(256), nullable=False),
    sa.Column("worker", sa.String(16), nullable=False),
    sa.Column("queue", sa.String(63), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("method", sa.String(8), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("idempotency_key", sa.String(256)),
    sa.Column("callback_url", sa.Text),
    sa.Column("deadline", UtcTime),
    sa.Column("traceparent", sa.String(64)),
    sa.Column("fraction", sa.Float),
    sa.Column("message", sa.Text),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("result_status", sa.Integer),
    sa.Column("result_type", sa.String(256)),
    sa.Column("error", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("queued_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("heartbeat_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("expires_at", UtcTime),
    sa.Column("enqueued_at", UtcTime),
    sa.Column("due_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    # Ids sort by time, so each of these gives a page of the newest at once.
    sa.Index("jobs_by_state", "state", "id"),
    sa.Index("jobs_by_queue", "queue", "state", "id"),
    sa.Index("jobs_by_kind", "kind", "id"),
    sa.Index("jobs_by_model", "model", "id"),
    sa.Index("jobs_by_owner", "owner", "id"),
    # Counts an owner's open jobs without a look at any row.
    sa.Index("jobs_by_owner_and_state", "owner", "state", "id"),
    sa.Index("jobs_by_finish", "finished_at"),
    sa.Index("jobs_by_expiry", "expires_at"),
)

# Bodies lie apart: a heartbeat would otherwise write a request of megabytes anew, and a list would read it.
payloads = sa.Table(
    "job_payloads",
    metadata,
    sa.Column("job_id", _ID, primary_key=True),
    sa.Column("part", sa.String(16), primary_key=True),
    sa.Column("content", sa.LargeBinary),
    sa.Column("blob", sa.String(128)),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
)

attempts = sa.Table(
    "job_attempts",
    metadata,
    sa.Column("job_id", _ID, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("worker_id", sa.String(128), nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
    sa.Column("outcome", sa.String(16)),
    sa.Column("error", sa.Text),
)

logs = sa.Table(
    "job_logs",
    metadata,
    sa.Column("job_id", _ID, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

keys = sa.Table(
    "job_keys",
    metadata,
    sa.Column("owner", sa.String(256), primary_key=True),
    sa.Column("key", sa.String(256), primary_key=True),
    sa.Column("job_id", _ID, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("job_keys_by_age", "created_at"),
)

messages = sa.Table(
    "queue_messages",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("queue", sa.String(63), nullable=False),
    sa.Column("job_id", sa.String(64), nullable=False),
    sa.Column("visible_at", UtcTime, nullable=False),
    sa.Column("receipt", _ID, nullable=False),
    sa.Column("dequeue_count", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("queue_messages_by_time", "queue", "visible_at", "id"),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("next_at", UtcTime, nullable=False),
)

# An event that a caller asked to be told of. It has the body that is sent: the job may run again meanwhile.
callbacks = sa.Table(
    "job_callbacks",
    metadata,
    sa.Column("id", sa.String(48), primary_key=True),
    sa.Column("job_id", _ID, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("host", sa.String(256), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("next_at", UtcTime),
    sa.Column("delivered_at", UtcTime),
    sa.Index("job_callbacks_by_time", "state", "next_at"),
    sa.Index("job_callbacks_by_job", "job_id", "created_at"),
)

secrets = sa.Table(
    "shared_secrets",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
