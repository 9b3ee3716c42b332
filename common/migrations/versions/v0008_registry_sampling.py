"""What is kept of a model's requests."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "registry_sampling",
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("how", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("model"),
        sa.ForeignKeyConstraint(["model"], ["registry_models.name"]),
    )
