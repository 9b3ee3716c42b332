"""The history of the database's schema, one file a step; Alembic runs what is missing.

A step is `versions/v<number>_<what>.py`. Numbers go up by one: the highest is the schema that the code expects, which
is known without importing Alembic (0.2 s), so a process whose database is up to date starts at once.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

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
    """Bring the schema up to date within the caller's transaction."""
    from alembic import command

    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
