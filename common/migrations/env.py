"""Alembic runs this file. The connection, and its transaction, are the caller's: see `common.migrations.migrate`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
