"""The tables of API keys. `common/migrations/versions` makes them; a test compares the two."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    # SQL's NULL for all models; JSON's would be a value of its own.
    sa.Column("models", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("created_by", sa.String(256), nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("revoked_by", sa.String(256)),
    sa.Index("api_keys_by_time", "created_at", "id"),
)

# `changed`: a stamp that every change of a key replaces, so that other processes learn of it by reading one row, whose
# lock is held by whoever changes keys until the transaction ends. `first key`: there once the first start has made one.
marks = sa.Table(
    "api_key_marks",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(64), nullable=False),
    sa.Column("set_at", UtcTime, nullable=False),
)
