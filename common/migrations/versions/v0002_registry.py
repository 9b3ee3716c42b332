"""Model versions, their artefacts and aliases."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)
_MODEL = sa.String(length=128)


def upgrade() -> None:
    op.create_table(
        "registry_models",
        sa.Column("name", _MODEL, nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "registry_versions",
        sa.Column("model", _MODEL, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("data_hash", sa.String(length=128), nullable=True),
        sa.Column("author", sa.String(length=256), nullable=False),
        sa.Column("code_version", sa.String(length=128), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "number"),
        sa.ForeignKeyConstraint(["model"], ["registry_models.name"]),
        sa.UniqueConstraint("model", "job_id", name="registry_versions_job"),
    )
    version = (["model", "number"], ["registry_versions.model", "registry_versions.number"])
    op.create_table(
        "registry_aliases",
        sa.Column("model", _MODEL, nullable=False),
        sa.Column("alias", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "alias"),
        sa.ForeignKeyConstraint(*version),
    )
    op.create_table(
        "registry_artefacts",
        sa.Column("model", _MODEL, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "number", "name"),
        sa.ForeignKeyConstraint(*version),
    )
    op.create_index("registry_artefacts_by_blob", "registry_artefacts", ["sha256"], unique=False)
