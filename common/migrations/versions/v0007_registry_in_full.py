"""What a version is and takes, what an alias pointed to before, who gets which version, and blobs nobody needs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TIME = sa.DateTime(timezone=True)
_MODEL = sa.String(length=128)
_ALIAS = sa.String(length=63)


def upgrade() -> None:
    for table in ("registry_models", "registry_versions"):
        op.add_column(table, sa.Column("description", sa.Text(), nullable=False, server_default=""))
        op.add_column(table, sa.Column("tags", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("registry_versions", sa.Column("signature", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("registry_versions", sa.Column("library", sa.String(length=64), nullable=True))
    op.add_column("registry_versions", sa.Column("library_version", sa.String(length=64), nullable=True))
    op.create_table(
        "registry_alias_history",
        sa.Column("model", _MODEL, nullable=False),
        sa.Column("alias", _ALIAS, nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("left_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "alias", "step"),
        sa.ForeignKeyConstraint(["model", "number"], ["registry_versions.model", "registry_versions.number"]),
    )
    op.create_table(
        "registry_traffic",
        sa.Column("model", _MODEL, nullable=False),
        sa.Column("alias", _ALIAS, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("shadow", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("model", "alias"),
        sa.ForeignKeyConstraint(["model", "alias"], ["registry_aliases.model", "registry_aliases.alias"]),
    )
    op.create_table(
        "registry_unreferenced",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
