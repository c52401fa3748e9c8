"""Builds the registry's tables and brings older ones up to date: Alembic, inside the package.

All that is to do runs in one transaction, on SQLite as on PostgreSQL: who is killed in the middle
finds the database as it was.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

# The tables of other rooms, so that the metadata is whole.
import catalog.access.tables
import catalog.harvest.tables
import catalog.workflows.tables  # noqa: F401

FOLDER = Path(__file__).parent


def configuration() -> Config:
    """Returns Alembic's settings; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def migrate(engine: Engine) -> None:
    """Carries out every migration that the database has not seen."""
    config = configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
