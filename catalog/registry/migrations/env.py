"""Alembic runs this file: which tables there should be, and on which connection to work."""

from alembic import context

from catalog.registry.tables import Base

with context.config.attributes["connection"].begin():
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        transactional_ddl=True,  # SQLite's, too, with transactions that we begin ourselves
    )
    context.run_migrations()
