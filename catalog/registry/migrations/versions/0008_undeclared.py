"""Datasets that a node declared once are marked when it does so no longer."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds a column; the next declaration of each node fills it."""
    op.add_column("datasets", sa.Column("undeclared_since", sa.BigInteger(), nullable=True))
