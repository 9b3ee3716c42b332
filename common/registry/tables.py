"""The registry's tables. `metadata.create_all` makes them; in production a migration does."""

import sqlalchemy as sa

from common.database import UtcTime

metadata = sa.MetaData()

_MODEL = sa.String(128)
_ALIAS = sa.String(63)

# One row a model. Whoever changes anything about the model holds its lock until the transaction ends. It stays when the
# model is deleted, so that a number never means another version.
models = sa.Table(
    "registry_models",
    metadata,
    sa.Column("name", _MODEL, primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
    # Grows with every change, so that other processes learn of it by reading a few numbers.
    sa.Column("changes", sa.BigInteger, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("tags", sa.JSON, nullable=False, server_default="{}"),
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
    sa.Column("signature", sa.JSON(none_as_null=True)),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("tags", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("library", sa.String(64)),
    sa.Column("library_version", sa.String(64)),
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
    sa.Column("alias", _ALIAS, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["registry_versions.model", "registry_versions.number"]),
)

# What an alias pointed to before, the highest step last: a rollback takes it off again.
history = sa.Table(
    "registry_alias_history",
    metadata,
    sa.Column("model", _MODEL, primary_key=True),
    sa.Column("alias", _ALIAS, primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("left_at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["registry_versions.model", "registry_versions.number"]),
)

# Shares of the requests that name no version, from 0 to 1: those that an alias answers, and those it is only shown.
traffic = sa.Table(
    "registry_traffic",
    metadata,
    sa.Column("model", _MODEL, primary_key=True),
    sa.Column("alias", _ALIAS, primary_key=True),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("shadow", sa.Float, nullable=False),
    sa.ForeignKeyConstraint(["model", "alias"], ["registry_aliases.model", "registry_aliases.alias"]),
)

# What is kept of a model's requests; nothing of those that are not here.
sampling = sa.Table(
    "registry_sampling",
    metadata,
    sa.Column("model", _MODEL, sa.ForeignKey("registry_models.name"), primary_key=True),
    sa.Column("how", sa.JSON, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
)

# Blobs of the share that no version needed when somebody looked, and since when.
unreferenced = sa.Table(
    "registry_unreferenced",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
)
