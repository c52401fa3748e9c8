"""A harvest speaks for a place; a datum knows whether only a harvest has said whose it is."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
HEARSAY = """
    UPDATE data SET hearsay = 1 WHERE key IN (
        SELECT i.datum FROM items i JOIN datasets d ON d.id = i.dataset
        WHERE i.source IS NOT NULL
        GROUP BY i.datum
        HAVING min(CASE WHEN EXISTS (
            SELECT 1 FROM harvests h
            WHERE d.source = h.name OR substr(d.source, 1, length(h.name) + 1) = h.name || '.'
        ) THEN 1 ELSE 0 END) = 1
    )
"""


def upgrade() -> None:
    """Adds two columns: harvests go on from anywhere, and what none of ours names is hearsay."""
    op.add_column(
        "harvests", sa.Column("place", sa.Text(), nullable=False, server_default="000000")
    )
    op.add_column("data", sa.Column("hearsay", sa.Integer(), nullable=False, server_default="0"))
    op.execute(HEARSAY)
