"""Which code may run on which schema, so that a release can be taken back after it changed the database. Pure, but for
the reading and writing of one row.

A step that only adds (a table, a column that may be empty) lets the code before it run on. Its file says so:
`oldest_code = "0009"` is the schema of the oldest code that may still run once the step was made. A step that says
nothing lets none but its own code run. What holds for the whole schema lies in the database itself, because the code
that has to know it is the older one, which has no file of that step.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlalchemy import Connection

Standing = Literal["empty", "older", "current", "newer", "too new", "foreign"]

_TABLE = "schema_compatibility"


@dataclass(frozen=True)
class Found:
    """What a database says of its schema.

    Parameters
    ----------
    revision : of the newest step that was made; None where none was.
    oldest_code : the schema of the oldest code that may run on it; None where nobody said so of this revision.
    """

    revision: str | None
    oldest_code: str | None = None

    def standing(self, ours: str) -> Standing:
        """How it is to the code whose schema is `ours`: `newer` can be used, `too new` and `foreign` cannot."""
        if self.revision is None:
            return "empty"
        if not re.fullmatch(r"\d{4}", self.revision, re.ASCII):
            return "foreign"
        if self.revision <= ours:
            return "current" if self.revision == ours else "older"
        return "newer" if self.oldest_code is not None and self.oldest_code <= ours else "too new"

    def refusal(self, ours: str) -> str:
        """Why the code whose schema is `ours` cannot use it, and what to do."""
        if self.standing(ours) == "foreign":
            return (
                f"the database has the schema {self.revision!r}, which is none of Atoll's; "
                "let DATABASE_URL name a database of its own"
            )
        needed = self.oldest_code or self.revision
        return (
            f"the database has schema {self.revision}, and this release knows {ours}: start a release that knows "
            f"{needed} or later, or restore the backup from before the upgrade (docs/operations.md)"
        )


def oldest_code(steps: Iterable[tuple[str, str | None]]) -> str:
    """The schema of the oldest code that may run once all steps were made: (revision, what its file says) of each."""
    return max(said or revision for revision, said in steps)


def find(connection: "Connection") -> Found:
    """What the database says."""
    import sqlalchemy as sa

    there = sa.inspect(connection)
    if not there.has_table("alembic_version"):
        return Found(None)
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None or not there.has_table(_TABLE):
        return Found(revision)
    # What was said of another revision does not hold for this one.
    told = sa.text(f"SELECT oldest_code FROM {_TABLE} WHERE revision = :revision")  # noqa: S608 - our own name
    return Found(revision, connection.execute(told, {"revision": revision}).scalar())


def record(connection: "Connection", found: Found) -> None:
    """Write it down, within the caller's transaction."""
    import sqlalchemy as sa

    table = sa.Table(
        _TABLE,
        sa.MetaData(),
        sa.Column("revision", sa.String(32), primary_key=True),
        sa.Column("oldest_code", sa.String(32), nullable=False),
    )
    table.create(connection, checkfirst=True)
    connection.execute(table.delete())
    connection.execute(table.insert().values(revision=found.revision, oldest_code=found.oldest_code))
