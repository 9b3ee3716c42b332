"""The audit log's table. `common/migrations/versions` makes it; a test compares the two."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

records = sa.Table(
    "audit_log",
    metadata,
    # Sorts by time.
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor_id", sa.String(256), nullable=False),
    sa.Column("actor_name", sa.String(256), nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("audit_log_by_actor", "actor_id", "id"),
    sa.Index("audit_log_by_action", "action", "id"),
    sa.Index("audit_log_by_time", "at"),
)
