"""The migrations make the tables that the code describes."""

from pathlib import Path

import sqlalchemy as sa

from common.database import Database
from common.jobs.tables import metadata as jobs
from common.registry.tables import metadata as registry
from common.security.audit.tables import metadata as audit
from common.security.keys.tables import metadata as keys
from common.settings import Settings, StorageSettings
from common.submission.tables import metadata as tasks


def test_migrated_tables_have_the_columns_of_the_code(tmp_path: Path) -> None:
    database = Database.build(Settings(storage=StorageSettings(state_dir=tmp_path)))
    database.migrate()
    found = database.read(lambda connection: _columns(sa.inspect(connection)))
    expected = {
        table.name: sorted(column.name for column in table.columns)
        for metadata in (jobs, registry, keys, audit, tasks)
        for table in metadata.sorted_tables
    }
    assert {name: found[name] for name in expected} == expected


def _columns(inspector: sa.Inspector) -> dict[str, list[str]]:
    return {name: sorted(str(c["name"]) for c in inspector.get_columns(name)) for name in inspector.get_table_names()}


def test_migrated_tables_have_the_indexes_of_the_code(tmp_path: Path) -> None:
    database = Database.build(Settings(storage=StorageSettings(state_dir=tmp_path)))
    database.migrate()
    found = database.read(lambda connection: _indexes(sa.inspect(connection)))
    expected = {
        (str(index.name), table.name): [column.name for column in index.columns]
        for metadata in (jobs, registry, keys, audit, tasks)
        for table in metadata.sorted_tables
        for index in table.indexes
    }
    assert {name: found.get(name) for name in expected} == expected


def _indexes(inspector: sa.Inspector) -> dict[tuple[str, str], list[str | None]]:
    return {
        (str(index["name"]), table): index["column_names"]
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
    }
