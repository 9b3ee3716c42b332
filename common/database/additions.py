"""Tables that no migration knows, those of plugins: what is missing of them is found, and made."""

import sqlalchemy as sa


def missing(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    """Whether a table, a column or an index is."""
    found = sa.inspect(connection)
    return any(
        not found.has_table(table.name)
        or {column.name for column in table.columns} - {column["name"] for column in found.get_columns(table.name)}
        or {index.name for index in table.indexes} - {index["name"] for index in found.get_indexes(table.name)}
        for table in metadata.sorted_tables
    )


def complete(connection: sa.Connection, table: sa.Table) -> None:
    """Make what is missing of a table. What others made since it was looked for is there already."""
    table.create(connection, checkfirst=True)
    found = sa.inspect(connection)
    there = {column["name"] for column in found.get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            made = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {made}")
    indexes = {index["name"] for index in found.get_indexes(table.name)}
    for index in table.indexes:
        if index.name not in indexes:
            index.create(connection)
