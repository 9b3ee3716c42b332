"""The registry's tables. `metadata.create_all` makes them; in production a migration does."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

_MODEL = sa.String(128)

# One row a model. Whoever adds a version or moves an alias holds its lock until the transaction ends.
models = sa.Table(
    "registry_models",
    metadata,
    sa.Column("name", _MODEL, primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
    # Grows with every change, so that other processes learn of it by reading a few numbers.
    sa.Column("changes", sa.BigInteger, nullable=False),
)

versions = sa.Table(
    "registry_versions",
    metadata,
    sa.Column("model", _MODEL, sa.ForeignKey("registry_models.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("job_id", sa.String(32)),
    sa.Column("data_hash", sa.String(128)),
    sa.Column("author", sa.String(256), nullable=False),
    sa.Column("code_version", sa.String(128), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    # A backstop: a job's effect happens once, however often it runs.
    sa.UniqueConstraint("model", "job_id", name="registry_versions_job"),
)

artefacts = sa.Table(
    "registry_artefacts",
    metadata,
    sa.Column("model", _MODEL, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["registry_versions.model", "registry_versions.number"]),
    # Which blobs are still needed.
    sa.Index("registry_artefacts_by_blob", "sha256"),
)

aliases = sa.Table(
    "registry_aliases",
    metadata,
    sa.Column("model", _MODEL, primary_key=True),
    sa.Column("alias", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["registry_versions.model", "registry_versions.number"]),
)
