"""The history of the database's schema, one file a step; Alembic runs what is missing.

A step is `versions/v<number>_<what>.py`. Numbers go up by one: the highest is the schema that the code expects, which
is known without importing Alembic (0.2 s), so a process whose database is up to date starts at once.

From 0010 on each step says with `oldest_code` which older code may run on: see `common.migrations.compatibility`.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from common.migrations.compatibility import Found, find, oldest_code, record

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

__all__ = ["FOLDER", "Found", "config", "find", "head", "migrate"]

FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def head() -> str:
    """The newest revision, e.g. `0001`."""
    return max(found[1] for path in (FOLDER / "versions").iterdir() if (found := re.match(r"v(\d{4})_", path.name)))


def config() -> "Config":
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return made


def migrate(connection: "Connection") -> None:
    """Bring the schema up to date within the caller's transaction, and write down which older code may run on it."""
    from alembic import command
    from alembic.script import ScriptDirectory

    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
    steps = ScriptDirectory.from_config(made).walk_revisions()
    said = ((step.revision, getattr(step.module, "oldest_code", None)) for step in steps)
    record(connection, Found(head(), oldest_code(said)))
