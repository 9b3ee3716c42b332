"""An index that counts an owner's open jobs, and lists those in one state."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("jobs_by_owner_and_state", "jobs", ["owner", "state", "id"], unique=False)
