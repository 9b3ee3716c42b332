"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}
# Expand, then contract: this step only adds, so the code before it runs on. One that takes away what older code uses
# names its own revision, or that of the first code that did without.
oldest_code = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
