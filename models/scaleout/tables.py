"""The plugin's own tables. `Database.ensure(metadata)` makes what is missing of them."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

_ID = sa.String(128)

# One row a run. Whoever changes anything about the run holds its lock until the transaction ends.
applications = sa.Table(
    "scaleout_applications",
    metadata,
    sa.Column("execution_id", _ID, primary_key=True),
    # Copies of what `told` has, to find runs by.
    sa.Column("system", _ID, nullable=False),
    sa.Column("algorithm", _ID, nullable=False),
    sa.Column("signature", _ID, nullable=False),
    # What was told so far, merged (`merge.py`).
    sa.Column("told", sa.JSON, nullable=False),
    # The last plan, to answer with when there is no time for another one.
    sa.Column("plan", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Index("scaleout_applications_by_algorithm", "system", "algorithm", "created_at"),
    sa.Index("scaleout_applications_by_signature", "signature", "created_at"),
    sa.Index("scaleout_applications_by_time", "created_at", "execution_id"),
)

# One row a Spark job of a run, its stages within.
jobs = sa.Table(
    "scaleout_jobs",
    metadata,
    sa.Column("execution_id", _ID, primary_key=True),
    sa.Column("job_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("told", sa.JSON, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
)

# One row a plan that was made for a run under way: of two after the same job the later one.
decisions = sa.Table(
    "scaleout_decisions",
    metadata,
    sa.Column("execution_id", _ID, primary_key=True),
    sa.Column("after_job", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("decided_at", UtcTime, nullable=False),
)

# What was asked to be loaded. Every process follows it, and loads again what has a new generation.
preloads = sa.Table(
    "scaleout_preloads",
    metadata,
    sa.Column("name", _ID, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),
)
