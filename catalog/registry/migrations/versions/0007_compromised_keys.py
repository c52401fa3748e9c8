"""Keys that somebody else may hold are known as such."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds a column; nobody has said so of any key yet."""
    op.add_column("signers", sa.Column("compromised_from", sa.BigInteger(), nullable=True))
