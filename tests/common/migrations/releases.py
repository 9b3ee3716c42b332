"""Releases that are yet to come: the migrations of today and a step more."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from common import migrations
from common.migrations import FOLDER, head

# What a later release writes at the top of its step, with what the step does below.
_STEP = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"
{said}


def upgrade():
    {does}
"""
ADDS = 'op.add_column("jobs", sa.Column("colour", sa.String(8), nullable=True))'
# SQLite takes no such column into a table with rows; this one has none.
GROWS_TOO_STRICT = 'op.execute("ALTER TABLE jobs ADD COLUMN colour VARCHAR(8) NOT NULL")'
TAKES = 'op.drop_column("jobs", "path")'


def step(does: str, oldest_code: str | None = None, revision: str = "9998", down: str | None = None) -> dict[str, str]:
    """A file of a step, by its name."""
    said = "" if oldest_code is None else f'oldest_code = "{oldest_code}"'
    text = _STEP.format(revision=revision, down=down or head(), said=said, does=does)
    return {f"v{revision}_later.py": text}


@contextlib.contextmanager
def release(folder: Path, files: dict[str, str]) -> Iterator[None]:
    """The code knows these steps too, as long as the block lasts."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for name, text in files.items():
        (folder / "versions" / name).write_text(text)
    before, migrations.FOLDER = migrations.FOLDER, folder
    head.cache_clear()
    try:
        yield
    finally:
        migrations.FOLDER = before
        head.cache_clear()


Columns = dict[str, tuple[str, bool, bool]]


def shape(connection: sa.Connection) -> tuple[dict[str, Columns], set[tuple[str, str]]]:
    """Of each table its columns (type, may be null, is filled by the server), and the unique indexes."""
    there = sa.inspect(connection)
    tables = {
        table: {
            str(column["name"]): (str(column["type"]), bool(column["nullable"]), column["default"] is not None)
            for column in there.get_columns(table)
        }
        for table in there.get_table_names()
    }
    unique = {(table, str(index["name"])) for table in tables for index in there.get_indexes(table) if index["unique"]}
    return tables, unique


def narrowed(
    before: tuple[dict[str, Columns], set[tuple[str, str]]], after: tuple[dict[str, Columns], set[tuple[str, str]]]
) -> list[str]:
    """What code that was written for `before` would stumble over."""
    (tables, unique), (later, later_unique) = before, after
    found = [f"table {table} is gone" for table in tables if table not in later]
    for table in tables.keys() & later.keys():
        for name, was in tables[table].items():
            if name not in later[table]:
                found.append(f"column {table}.{name} is gone")
            elif was[0] != later[table][name][0] or (was[1] and not later[table][name][1]):
                found.append(f"column {table}.{name} takes other values")
        found += [
            f"column {table}.{name} has to be given"
            for name, (_, may_be_null, is_filled) in later[table].items()
            if name not in tables[table] and not may_be_null and not is_filled
        ]
    found += [f"{table} has to be unique by {name}" for table, name in later_unique - unique if table in tables]
    return sorted(found)
